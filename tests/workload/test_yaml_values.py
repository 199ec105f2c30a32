"""Scalars mean what the framework's own loader makes of them."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from workload.source import SourceText
from workload.splice.yaml import scalar_text
from workload.splice.yaml_document import Document

WORDS = [
    "1",
    "-7",
    "+3",
    "0",
    "017",
    "0x1F",
    "0b101",
    "1_000",
    "60:30",
    "1:30.5",
    "1.5",
    ".5",
    "-2.",
    "1e5",
    "1e-5",
    "1.0e-5",
    "1.0e5",
    "2E-4",
    ".inf",
    "-.INF",
    ".nan",
    "yes",
    "No",
    "ON",
    "off",
    "true",
    "False",
    "~",
    "null",
    "Null",
    "'no'",
    '"1e-5"',
    "2024-01-01",
    "1e",
    "1.2.3",
    "08",
    "0o17",
    "-",
    "auto",
    "bf16",
    "1,5",
    "e5",
    "+.5",
    "1_0.5",
    "0.1e+3",
    "._",
    "_",
    "=",
    "<<",
    "12:30:45",
    "yes!",
    "n",
    "y",
    "9007199254740993",
    "1e999",
]


def by_pyyaml(text: str) -> Any:
    return yaml.safe_load(f"k: {text}")["k"]


def read(text: str, loader: Any = "pyyaml") -> Any:
    return Document(SourceText("x", f"k: {text}"), loader).value("k")


def alike(one: Any, other: Any) -> bool:
    if isinstance(other, datetime.date):
        return isinstance(one, str)
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("text", [word for word in WORDS if word not in ("=", "<<", "-")])
def test_a_scalar_is_what_pyyaml_reads(text: str) -> None:
    assert alike(read(text), by_pyyaml(text))


@given(st.text(alphabet="0123456789.eE+-_:xobyntrufalseYNOF~", min_size=1, max_size=8))
def test_any_plain_scalar_is_what_pyyaml_reads(text: str) -> None:
    try:
        wanted = by_pyyaml(text)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError):
        return
    if isinstance(wanted, dict | list):
        return
    assert alike(read(text), wanted)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1.0e-4", 1e-4),
        ("5E6", 5e6),
        (".5e3", 500.0),
        ("2024-01-01", "2024-01-01"),
        ("no", False),
        ("1e", "1e"),
        ("'1e-5'", "1e-5"),
        ("${oc.env:HOME}", "${oc.env:HOME}"),
    ],
)
def test_omegaconf_floats_need_no_dot_and_dates_stay_text(text: str, value: Any) -> None:
    assert alike(read(text, "omegaconf"), value)
    assert read("1e-5") == "1e-5"


@pytest.mark.parametrize("loader", ["pyyaml", "omegaconf"])
@given(
    value=st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**15), 10**15),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=30).filter(lambda text: text.isprintable() or text == ""),
        st.lists(st.text("abc_ ,:#", min_size=1, max_size=6), max_size=3),
    )
)
def test_what_is_written_reads_back_as_the_same_value(loader: Any, value: Any) -> None:
    assert alike(read(scalar_text(value, loader), loader), value)
    assert alike(read(scalar_text(value, loader), "pyyaml"), value) or loader == "omegaconf"


@pytest.mark.parametrize(
    ("value", "text"), [(1e-05, "1.0e-05"), (2e-4, "0.0002"), (1e22, "1.0e+22")]
)
def test_a_small_rate_keeps_its_dot(value: float, text: str) -> None:
    assert scalar_text(value, "pyyaml") == text
    assert isinstance(yaml.safe_load(text), float)
