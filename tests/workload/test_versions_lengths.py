from __future__ import annotations

import json

import pytest

from audit.records.errors import InputError
from audit.records.upload import Upload
from workload.lengths import measure_lengths, parse_lengths
from workload.source import SourceText
from workload.versions import (
    choose_versions,
    environment_versions,
    nearest_known,
    parse_versions,
    requirement_versions,
)


def test_versions_are_parsed() -> None:
    assert parse_versions("transformers=4.57, Flash_Attn==2.7.4,rocm=6.4") == {
        "transformers": "4.57",
        "flash-attn": "2.7.4",
        "rocm": "6.4",
    }
    assert parse_versions("") == {}


@pytest.mark.parametrize("text", ["transformers", "=4.57", "transformers=", "a=x y", "a=4;b=5"])
def test_an_unclear_version_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"transformers=4\.57"):
        parse_versions(text)


def test_only_exact_pins_of_a_requirements_file_count() -> None:
    text = """# comment
transformers==4.57.6
trl[vllm] == 0.24.0 ; python_version > "3.9"
peft>=0.17
accelerate
torch===2.8.0+rocm6.4
liger_kernel~=0.6.1
axolotl @ git+https://example.org/axolotl.git@v0.18.0
-r other.txt
"""
    assert requirement_versions(SourceText("requirements.txt", text)) == {
        "transformers": "4.57.6",
        "trl": "0.24.0",
        "torch": "2.8.0+rocm6.4",
        "liger-kernel": "0.6.1",
        "axolotl": "0.18.0",
    }


def test_versions_of_a_box() -> None:
    env = {"versions": {"transformers": "5.8.0", "rocm": "6.4", "bad": None}, "hardware": "mi300x"}
    found = environment_versions(SourceText("env.json", json.dumps(env)))
    assert found == {"transformers": "5.8.0", "rocm": "6.4"}
    assert environment_versions(SourceText("x.json", "{broken")) is None
    assert environment_versions(SourceText("x.json", '{"a": 1}')) is None


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("4.57.6", "4.57.6"),
        ("4.50.0", "4.57.6"),
        ("5.8", "5.8.0"),
        ("5.0.0", "5.8.0"),
        ("5.14", "5.14.1"),
        ("5.20.1", "5.14.1"),
        ("5", "5.23.0"),
        ("6.0", "5.23.0"),
        ("3.1", "4.57.6"),
    ],
)
def test_the_nearest_release_with_known_defaults(version: str, known: str) -> None:
    assert nearest_known("transformers", version) == known


def test_stated_before_pinned_before_newest() -> None:
    packages = ("transformers", "trl")
    assert choose_versions(packages, {}) == {"transformers": "5.23.0", "trl": "1.16.0"}
    assert choose_versions(packages, {}, "axolotl")["transformers"] == "5.14.1"
    assert choose_versions(packages, {"trl": "0.9"}, "axolotl")["trl"] == "0.9"


def test_lengths_are_parsed() -> None:
    found = parse_lengths("p50=310, p95=900,max=2048")
    assert (found.p50, found.p95, found.max, found.origin) == (310, 900, 2048, "stated")


@pytest.mark.parametrize(
    "text", ["", "p50=1", "p50=9,p95=5,max=10", "p50=0,p95=1,max=2", "p50=a,p95=1,max=2", "mean=3"]
)
def test_unclear_lengths_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="p50=310"):
        parse_lengths(text)


def sample(*lines: object) -> Upload:
    return Upload("data.jsonl", "\n".join(json.dumps(line) for line in lines).encode())


def test_a_sample_is_measured_at_four_characters_a_token() -> None:
    found = measure_lengths(sample(*({"text": "x" * 4 * n} for n in range(1, 101))))
    assert (found.p50, found.p95, found.max) == (50, 95, 100)
    assert "4 characters" in found.source
    assert "data.jsonl" in found.source


def test_roles_are_not_counted() -> None:
    chat = {
        "messages": [{"role": "assistant", "content": "x" * 40}, {"role": "user", "content": ""}]
    }
    assert measure_lengths(sample(chat)).max == 10


def test_a_broken_line_is_named() -> None:
    with pytest.raises(InputError) as caught:
        measure_lengths(Upload("data.jsonl", b'{"text": "abcd"}\nnot json\n'))
    assert caught.value.line == 2
    with pytest.raises(InputError, match="no line"):
        measure_lengths(sample({"id": 1}))


def test_a_large_sample_is_measured() -> None:
    line = json.dumps({"prompt": "x" * 900, "completion": "y" * 300}).encode() + b"\n"
    assert measure_lengths(Upload("data.jsonl", line * 15_000)).max == 300
