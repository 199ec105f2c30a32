"""A zip counts as the files in it; hostile ones are refused before anything in them is read."""

from __future__ import annotations

import io
import stat
import struct
import time
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.records.errors import InputError
from audit.records.finding import FieldEdit
from audit.records.upload import Upload
from workload.archive import unpack_uploads
from workload.patch import edit_workload
from workload.read import read_workload
from workload.source import MAX_FILES

RUN = (
    "base_model: a/b\ndatasets:\n  - path: c\nmicro_batch_size: 2\nsequence_len: 512\n"
    "gradient_accumulation_steps: 4\nlearning_rate: 0.0001\ndeepspeed: cfg/zero.json\n"
)
ZERO = '{"zero_optimization": {"stage": 2}, "train_micro_batch_size_per_gpu": "auto"}'
PACKED = zipfile.ZIP_DEFLATED


def zipped(files: dict[str, bytes | str], name: str = "run.zip") -> Upload:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", PACKED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return Upload(name, data.getvalue())


def with_entry(entry: zipfile.ZipInfo, content: bytes = b"a: 1\n") -> Upload:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("run.yml", RUN)
        archive.writestr(entry, content)
    return Upload("run.zip", data.getvalue())


def test_the_files_in_a_zip_are_one_workload() -> None:
    upload = zipped(
        {
            "project/run.yml": RUN,
            "project/cfg/zero.json": ZERO,
            "project/requirements.txt": "transformers==4.57.6\n",
            "project/README.md": "# notes",
            "project/logo.png": b"\x89PNG",
            "project/.git/config": "[core]",
            "__MACOSX/project/._run.yml": b"\x00\x05",
        }
    )
    workload = read_workload([upload])
    assert workload.name == "run.yml"
    assert {file.name for file in workload.files} == {"run.yml", "zero.json", "requirements.txt"}
    assert workload.value("deepspeed_stage") == 2
    assert workload.versions["transformers"] == "4.57.6"


def test_a_zip_may_hold_as_many_files_as_are_given_loose() -> None:
    many = {f"part{number}.yml": RUN for number in range(MAX_FILES - 1)}
    assert len(read_workload([zipped({"run.yml": RUN, **many})]).files) == MAX_FILES
    with pytest.raises(InputError, match=f"at most {MAX_FILES} are read"):
        read_workload([zipped({"run.yml": RUN, "one_more.yml": RUN, **many})])


def test_the_name_of_a_zip_says_nothing() -> None:
    assert read_workload([zipped({"run.yml": RUN}, "config.yaml")]).name == "run.yml"


def test_a_file_from_a_zip_is_patched_as_that_file() -> None:
    edit = FieldEdit(field="learning_rate", value=5e-5)
    done = edit_workload([zipped({"a/run.yml": RUN, "a/cfg/zero.json": ZERO})], [edit])
    assert [upload.name for upload in done.uploads] == ["run.yml", "zero.json"]
    assert b"learning_rate: 5.0e-05" in done.uploads[0].data
    assert "--- a/run.yml" in done.diff


def link() -> Upload:
    entry = zipfile.ZipInfo("cfg.yml")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return with_entry(entry, b"/etc/passwd")


def encrypted() -> Upload:
    data = bytearray(zipped({"run.yml": RUN}).data)
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<H", data, at + 8, 1)
    return Upload("run.zip", bytes(data))


def lying() -> Upload:
    """The index says one byte, the data holds more."""
    data = bytearray(zipped({"run.yml": RUN * 50}).data)
    struct.pack_into("<I", data, data.rindex(b"PK\x01\x02") + 24, 1)
    return Upload("run.zip", bytes(data))


@pytest.mark.parametrize(
    ("upload", "words"),
    [
        (zipped({"run.yml": RUN, "../../etc/cron.d/x.yml": "a: 1"}), "points outside"),
        (zipped({"run.yml": RUN, "/etc/passwd.yml": "a: 1"}), "points outside"),
        (zipped({"run.yml": RUN, "..\\..\\x.yml": "a: 1"}), "points outside"),
        (zipped({"run.yml": RUN, "C:\\x.yml": "a: 1"}), "points outside"),
        (link(), "a link or a special file"),
        (encrypted(), "encrypted"),
        (lying(), "the zip"),
        (zipped({"run.yml": RUN, "bomb.json": b"0" * 15_000_000}), "would grow more than 200"),
        (zipped({"run.yml": RUN, "inner.zip": zipped({"x.yml": RUN}).data}), "archive in the"),
        (zipped({"run.yml": RUN, "inner.txt": zipped({"x.yml": RUN}).data}), "archive in the"),
        (zipped({"a/run.yml": RUN, "b/run.yml": RUN}), "two files in the zip are called run.yml"),
        (zipped({"archive/data.pkl": b"\x80\x02", "archive/version": "3"}), "PyTorch checkpoint"),
        (zipped({"[Content_Types].xml": "<a/>", "word/document.xml": "<a/>"}), "Office"),
        (zipped({f"{number}.txt": "a" for number in range(1_001)}), "more than 1,000 files"),
        (zipped({"photo.jpg": b"\xff\xd8\xff"}), "no file that could be a training file"),
        (Upload("run.zip", b"PK\x03\x04 and no more"), "broken"),
        (Upload("run.zip", zipped({"run.yml": RUN}).data[:-30]), "broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_zip_is_refused(upload: Upload, words: str) -> None:
    started = time.perf_counter()
    with pytest.raises(InputError) as refused:
        read_workload([upload])
    assert words in refused.value.reason
    assert refused.value.file == upload.name
    assert refused.value.remedy
    assert time.perf_counter() - started < 1


def test_too_much_in_all_is_refused_although_each_file_is_plausible() -> None:
    plain = "\n".join(map(str, range(550_000)))  # 3.7 MB, packs about four times
    files: dict[str, bytes | str] = {f"{number}.txt": plain for number in range(6)}
    with pytest.raises(InputError, match="unpacks to more than 20 MB"):
        unpack_uploads([zipped(files)])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
def test_a_damaged_zip_is_read_or_refused(at: int, junk: bytes) -> None:
    data = bytearray(zipped({"run.yml": RUN, "cfg/zero.json": ZERO}).data)
    at = 4 + at % (len(data) - 4)
    data[at : at + len(junk)] = junk
    try:
        found = unpack_uploads([Upload("run.zip", bytes(data))])
    except InputError:
        return
    assert sum(len(upload.data) for upload in found) <= 20_000_000
    assert all("/" not in upload.name and upload.name not in ("..", "") for upload in found)
