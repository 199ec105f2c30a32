"""A sample of the data gives lengths, a count, and a word on columns that do not fit."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterable
from typing import Any

import pytest

from audit.records.errors import InputError
from audit.records.upload import Upload
from audit.records.workload import Workload
from workload.data_rows import MAX_ROWS, is_sample
from workload.data_sample import measure_sample
from workload.read import read_workload

RECIPE = (
    "model_name_or_path: a/b\ndataset_name: d\nper_device_train_batch_size: 2\n"
    "learning_rate: 1e-4\noutput_dir: o\nuse_peft: true\nlora_r: 8\n"
)
LLAMAFACTORY = (
    "model_name_or_path: a/b\nfinetuning_type: lora\ntemplate: qwen\ndataset: x\noutput_dir: o\n"
)
TASKS = {
    "sft": RECIPE + "packing: true\ndataset_text_field: text\n",
    "dpo": LLAMAFACTORY + "stage: dpo\npref_beta: 0.1\n",
    "grpo": RECIPE + "num_generations: 8\nmax_completion_length: 256\n",
}


def lines(*rows: Any, name: str = "data.jsonl") -> Upload:
    return Upload(name, "\n".join(json.dumps(row) for row in rows).encode())


def array(*rows: Any, name: str = "data.json") -> Upload:
    return Upload(name, json.dumps(rows).encode())


def beside(task: str, sample: Upload, extra: str = "") -> Workload:
    workload = read_workload([Upload("run.yaml", (TASKS[task] + extra).encode()), sample])
    assert workload.value("task") == task
    return workload


def conflicts(workload: Workload) -> list[str]:
    found = [notice for notice in workload.notices if notice.kind == "conflict"]
    return [notice.message for notice in found if notice.file and "data" in notice.file]


PROMPT = {"prompt": "w" * 40}
FITTING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sft", {"text": "a" * 40}),
    ("sft", {"messages": [{"role": "user", "content": "a" * 40}], "id": "x" * 900}),
    ("sft", {"conversations": [{"from": "human", "value": "a" * 40}]}),
    ("sft", {"prompt": "a" * 20, "completion": "b" * 20}),
    ("sft", {"instruction": "a" * 20, "input": "", "output": "b" * 20}),
    ("sft", {"input_ids": list(range(10))}),
    ("dpo", {**PROMPT, "chosen": "", "rejected": ""}),
    ("dpo", {"chosen": "a" * 40, "rejected": "b" * 30}),
    ("grpo", {**PROMPT, "answer": "42"}),
)


@pytest.mark.parametrize(("task", "row"), FITTING, ids=lambda value: str(value)[:30])
def test_columns_that_fit_are_measured_without_a_word(task: str, row: dict[str, Any]) -> None:
    for upload in (lines(row, row), array(row, row), lines(row, row, name="data.json")):
        workload = beside(task, upload)
        assert conflicts(workload) == []
        assert workload.lengths is not None
        assert (workload.lengths.max, workload.lengths.origin) == (10, "stated")
        assert upload.name in workload.lengths.source
        counted = workload.fields["num_examples"]
        assert (counted.value, counted.origin, counted.file) == (2, "stated", upload.name)
        assert "in the sample" in str(counted.source)


@pytest.mark.parametrize(
    ("task", "row", "wanted"),
    [
        ("sft", {"chosen": "a", "rejected": "b", "id": "c"}, "messages"),
        ("dpo", {"text": "words"}, "chosen+rejected"),
        ("dpo", {"prompt": "a", "chosen": "b"}, "chosen+rejected"),
        ("grpo", {"text": "words"}, "prompt"),
    ],
)
def test_columns_that_do_not_fit_are_a_conflict(
    task: str, row: dict[str, Any], wanted: str
) -> None:
    (message,) = conflicts(beside(task, lines(row)))
    assert wanted in message
    assert all(name in message for name in row)


def test_columns_that_the_training_file_maps_are_its_own_matter() -> None:
    row = lines({"question": "a", "reply": "b"})
    assert conflicts(beside("sft", row))
    assert conflicts(beside("sft", row, "columns: [question, reply]\n")) == []


def test_of_a_pair_the_longer_answer_counts() -> None:
    row = {"prompt": "a" * 40, "chosen": "b" * 80, "rejected": "c" * 40}
    assert measure_sample(lines(row)).lengths.max == 30


def test_malformed_rows_are_counted_and_told() -> None:
    rows: Iterable[Any] = [{"text": "abcd"}, 5, {"text": "abcdefgh"}, {"text": "a"}]
    data = "\n".join(json.dumps(row) for row in rows) + '\n{"text": "cut o'
    workload = beside("sft", Upload("data.jsonl", data.encode()))
    assert workload.value("num_examples") == 3
    (notice,) = [one for one in workload.notices if one.file == "data.jsonl"]
    assert "2 of 5 rows" in notice.message
    assert notice.line == 2


@pytest.mark.parametrize(
    "data", [b"", b"[{]", b'[{"a": 1}', b"1\n2\n3\n", b'{"a": \n{"b"\n', b'{"id": 4}\n', b"\xff\n"]
)
def test_a_jsonl_without_rows_is_refused_with_a_remedy(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        measure_sample(Upload("data.jsonl", data))
    assert caught.value.remedy


def test_an_array_that_holds_no_data_stops_nobody() -> None:
    workload = beside("sft", array({"id": 1}, {"id": 2}))
    assert workload.lengths is None
    assert any("data.json" in notice.message for notice in workload.notices)


def test_a_sample_alone_is_no_workload() -> None:
    with pytest.raises(InputError, match="no training file is beside"):
        read_workload([lines({"text": "a"})])


def test_stated_lengths_come_before_a_sample_and_the_larger_sample_counts() -> None:
    uploads = [
        Upload("run.yaml", TASKS["sft"].encode()),
        lines({"text": "a" * 400}, name="test.jsonl"),
        lines({"text": "a" * 40}, {"text": "a" * 40}, name="train.jsonl"),
    ]
    workload = read_workload(uploads)
    assert workload.lengths is not None
    assert workload.lengths.max == 10
    assert workload.value("num_examples") == 2
    assert any("smaller sample" in notice.message for notice in workload.notices)


def test_what_is_a_sample() -> None:
    assert is_sample(Upload("x.JSONL", b""))
    assert is_sample(Upload("x.json", b"\xef\xbb\xbf [\n {"))
    assert is_sample(Upload("x.json", b'{"a": 1}\r\n{"a": 2}'))
    for data in (b'{"a": 1}', b'{\n"a": 1\n}', b"[1, 2]", b'{"a":\n{"b": 1}}', b"{a}\n{b}"):
        assert not is_sample(Upload("x.json", data))
    assert not is_sample(Upload("x.yaml", b'[{"a": 1}]'))


def test_a_sample_at_the_limits_is_measured_soon() -> None:
    began = time.process_time()
    sample = measure_sample(Upload("a.jsonl", b'{"text": "a"}\n' * (MAX_ROWS + 1)))
    assert (sample.rows, sample.whole, sample.count()) == (MAX_ROWS, False, None)
    row = b'{"messages": [{"role": "user", "content": "' + b"x" * 1_900 + b'"}]}\n'
    assert measure_sample(Upload("b.jsonl", row * 10_000)).rows == 10_000
    deep = b'{"text": ' + b"[" * 5_000_000
    with pytest.raises(InputError):
        measure_sample(Upload("c.jsonl", deep))
    assert time.process_time() - began < 4
    with pytest.raises(InputError, match="20,000,000"):
        measure_sample(Upload("d.json", b"[" + b" " * 20_000_000))


def test_a_parquet_table_is_read_or_its_reader_is_named() -> None:
    try:
        import pyarrow as arrow  # type: ignore[import-not-found, unused-ignore]
        import pyarrow.parquet as parquet  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        workload = beside("sft", Upload("data.parquet", b"PAR1junkPAR1"))
        assert any("pyarrow" in notice.message for notice in workload.notices)
        return
    buffer = io.BytesIO()
    parquet.write_table(arrow.table({"text": ["a" * 40, "b" * 20]}), buffer)
    workload = beside("sft", Upload("data.parquet", buffer.getvalue()))
    assert workload.lengths is not None
    assert (workload.lengths.max, workload.value("num_examples")) == (10, 2)
    broken = beside("sft", Upload("data.parquet", b"PAR1junkPAR1"))
    assert any("broken" in notice.message for notice in broken.notices)
