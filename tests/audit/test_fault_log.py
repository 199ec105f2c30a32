"""A fault of our own leaves its trace in the data folder and one plain line with the user."""

from __future__ import annotations

from pathlib import Path

from audit.log.faults import FILE, MAX_BYTES, record_fault

TOKEN = "hf_" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv"


def fault() -> Exception:
    try:
        {}[TOKEN]
    except KeyError as error:
        return error
    raise AssertionError


def test_the_trace_is_kept_and_the_secret_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    line = record_fault(folder, "audit 1", fault())
    kept = (folder / FILE).read_text()
    assert "Traceback" in kept
    assert "audit 1" in kept
    assert TOKEN not in kept + line
    assert line.startswith("internal error: KeyError")
    assert "\n" not in line
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600


def test_it_does_not_grow_without_end_and_never_fails(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("x" * (2 * MAX_BYTES))
    record_fault(tmp_path, "again", fault())
    assert (tmp_path / FILE).stat().st_size < MAX_BYTES + 10_000
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert record_fault(blocked, "x", fault()) == "internal error: KeyError"
