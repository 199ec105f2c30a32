from __future__ import annotations

import pytest

from audit.records.errors import InputError
from audit.records.upload import Upload
from workload.source import SourceText, decode_upload


def refusal(data: bytes, name: str = "run.yml") -> InputError:
    with pytest.raises(InputError) as caught:
        decode_upload(Upload(name, data))
    return caught.value


@pytest.mark.parametrize(
    "data",
    [b"a: 1\n", b"\xef\xbb\xbfa: 1\r\n", "a: grün\n".encode(), "\ufeffa: 1\n".encode("utf-16-le")],
)
def test_bytes_come_back_unchanged(data: bytes) -> None:
    upload = Upload("run.yml", data)
    source = decode_upload(upload)
    assert source.encode() == data
    assert source.upload() == upload
    assert not source.text.startswith("\ufeff")


@pytest.mark.parametrize("data", [b"", b"  \n\t\n"])
def test_an_empty_file_is_named(data: bytes) -> None:
    assert "empty" in refusal(data).reason


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PK\x03\x04rest", "zip"),
        (b"\x89PNG\r\n", "PNG"),
        (b"\x80\x04\x95\x0a\x00\x00\x00}\x94.", "pickle"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"GGUF\x00\x00", "weights"),
        ((60).to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}', "safetensors"),
        (b"a: 1\x00", "NUL"),
    ],
)
def test_a_binary_file_is_named_for_what_it_is(data: bytes, word: str) -> None:
    error = refusal(data)
    assert word in error.reason
    assert error.remedy


def test_the_byte_that_does_not_decode_is_named() -> None:
    error = refusal(b"a: 1\nb: \xff\n")
    assert "byte 8" in error.reason
    assert error.line == 2


def test_a_control_character_has_line_and_column() -> None:
    error = refusal(b"a: 1\nbc: \x07\n")
    assert (error.line, error.column) == (2, 5)
    assert "U+0007" in error.reason


def test_limits_follow_the_kind_of_file() -> None:
    assert "1,000,000" in refusal(b"a" * 1_000_001).reason
    assert decode_upload(Upload("book.ipynb", b"{" + b" " * 1_500_000 + b"}")).text
    assert decode_upload(Upload("data.jsonl", b"{}\n" * 400_000)).line_count == 400_000
    assert "20,000,000" in refusal(b"a" * 20_000_001, "data.jsonl").reason


def test_lines_and_columns_count_from_one() -> None:
    source = SourceText("x", "one\r\ntwo\n\nfour")
    assert [source.line_of(at) for at in (0, 4, 5, 9, 10, 13)] == [1, 1, 2, 3, 4, 4]
    assert source.column_of(6) == 2
    assert source.line_text(1) == "one"
    assert source.line_text(4) == "four"
    assert source.line_text(5) == ""
    assert source.line_count == 4


def test_the_usual_line_end_is_found() -> None:
    assert SourceText("x", "a\r\nb\r\nc\n").newline == "\r\n"
    assert SourceText("x", "a\nb\n").newline == "\n"


def test_a_parse_is_made_once() -> None:
    calls: list[str] = []

    def parse(source: SourceText) -> int:
        calls.append(source.name)
        return 7

    source = SourceText("x", "a")
    assert source.parsed(parse) + source.parsed(parse) == 14
    assert calls == ["x"]
