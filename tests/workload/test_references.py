"""Values that refer to other keys: found among the files, nowhere else, in bounded time."""

from __future__ import annotations

from typing import Any

import pytest

from audit.records.upload import Upload
from audit.records.workload import FieldValue
from tests.ends import ends
from workload.dialects.nemo_rl import NemoDocument
from workload.dialects.primus_document import PrimusDocument
from workload.dialects.references import ReferenceDocument
from workload.read import read_workload
from workload.source import SourceText

TORCHTUNE = """model:
  _component_: torchtune.models.qwen3.qwen3_8b
optimizer: {_component_: torch.optim.AdamW, lr: 1e-5}
"""


def value(text: str, path: str) -> Any:
    return ReferenceDocument(SourceText("a.yaml", text), "omegaconf").value(path)


@pytest.mark.parametrize(
    ("text", "path", "wanted"),
    [
        ("a: 3\nb: ${a}\n", "b", 3),
        ("a: 3\nb: '${a}'\n", "b", 3),
        ("a: 1e-5\nb: ${a}\n", "b", 1e-5),
        ("a: x\nb: ${a}/logs/${a}\n", "b", "x/logs/x"),
        ("a: 2\nb: n${a}\n", "b", "n2"),
        ("a: {c: 1, d: '${.c}'}\n", "a.d", 1),
        ("a: {b: {c: '${..d}'}, d: 7}\n", "a.b.c", 7),
        ("a: ${b}\nb: ${c}\nc: true\n", "a", True),
        ("a: [1, '${b}']\nb: 2\n", "a", [1, 2]),
        ("a: &x ${b}\nb: 5\nc: *x\n", "c", 5),
        ("a: ${oc.select:b,9}\nb: 4\n", "a", 4),
        ("a: ${oc.select:nothing, 9}\n", "a", 9),
        ("a: ${oc.select:nothing,'x'}\n", "a", "x"),
        ("a: {b: 1}\nc: ${a}\n", "c", {"b": 1}),
    ],
)
def test_what_the_file_holds_is_found(text: str, path: str, wanted: Any) -> None:
    assert value(text, path) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "a: ${b}\n",
        "a: ${oc.env:HOME}\n",
        "a: ${oc.env:HOME,3}\n",
        "a: ${env:HOME}\n",
        "a: ${hydra:job.name}\n",
        "a: ${eval:'__import__(\"os\").getcwd()'}\n",
        "a: ${oc.decode:x}\n",
        "a: ${a}\n",
        "a: ${b}\nb: ${c}\nc: ${a}\n",
        "a: ${b\n",
        "a: \\${b}\nb: 1\n",
        "a: ${.....b}\nb: 1\n",
        "a: ${mul:2,3}\n",
        "a: ${b}\nb: ???\n",
        "a: ${}\n",
    ],
)
def test_what_it_does_not_hold_stays_open(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/secret/home")
    found = value(text, "a")
    assert isinstance(found, str)
    assert "${" in found
    assert "secret" not in found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: ${mul:16, ${b.c}}\nb: {c: 4}\n", 64),
        ("a: ${mul:${mul:2,3},${b.c}}\nb: {c: 4}\n", 24),
        ("a: ${div:1,4}\n", 0.25),
        ("a: ${max:1,4}\n", 4),
        ("a: ${add:1,0.5}\n", 1.5),
        ("a: ${div:1,0}\n", "${div:1,0}"),
        ("a: ${mul:x,2}\n", "${mul:x,2}"),
        ("a: ${mul:1,2,3}\n", "${mul:1,2,3}"),
        ("a: ${mul:900000000000,900000000000}\n", "${mul:900000000000,900000000000}"),
        ("a: ${mul:true,2}\n", "${mul:true,2}"),
    ],
)
def test_arithmetic_of_nemo_rl(text: str, wanted: Any) -> None:
    assert NemoDocument(SourceText("a.yaml", text), "omegaconf").value("a") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("${N:8}", 8),
        ("${N:1e-4}", 1e-4),
        ("${N:TRUE}", True),
        ("${N:}", ""),
        ("${N:x}.yaml", "x.yaml"),
        ("${N:8}${M:9}", 89),
        ("8", 8),
        ("${N}", "${N}"),
        ("${N}/${M:a}", "${N}/a"),
        ("${a.b}", "${a.b}"),
    ],
)
def test_variables_of_primus_take_the_default_of_the_file(
    text: str, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("N", "77")
    document = PrimusDocument(SourceText("a.yaml", f"key: {text}\n"), "pyyaml")
    assert document.value("key") == wanted
    assert type(document.value("key")) is type(wanted)


def field(text: str, name: str) -> FieldValue:
    return read_workload([Upload("run.yaml", (TORCHTUNE + text).encode())]).fields[name]


def test_a_reference_is_derived_and_says_where_it_stands() -> None:
    found = field("batch_size: 4\nbatch_size_val: ${batch_size}\n", "per_device_eval_batch_size")
    assert (found.value, found.origin, found.line) == (4, "derived", 5)
    assert found.source == "${batch_size}"


def test_an_environment_variable_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH", "64")
    found = field("batch_size: ${oc.env:BATCH}\n", "per_device_train_batch_size")
    assert (found.value, found.origin) == (None, "unknown")


def test_a_list_with_an_open_reference_is_unknown() -> None:
    text = "dataset: {_component_: torchtune.datasets.chat_dataset, source: '${where}'}\n"
    assert field(text, "datasets").origin == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{n}: ${{k{n + 1}}}${{k{n + 1}}}\n" for n in range(60)) + "k60: x\n",
        "".join(f"k{n}: ${{k{n + 1}}}\n" for n in range(3000)) + "k3000: 1\n",
        "a: " + "${a}" * 200_000 + "\n",
        "a: " + "${" * 10_000 + "}" * 10_000 + "\n",
        "".join(f"k{n}: ${{mul:${{k{n + 1}}},${{k{n + 1}}}}}\n" for n in range(60)) + "k60: 9\n",
    ],
)
def test_what_would_grow_without_end_is_left_open_at_once(text: str) -> None:
    document = NemoDocument(SourceText("a.yaml", text), "omegaconf")
    with ends():
        for place in document.places()[:50]:
            found = document.plain(place.value)
            assert not isinstance(found, str) or len(found) <= len(text)
