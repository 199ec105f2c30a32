"""Values that depend on a condition of a launcher: all of them are told, none is claimed."""

from __future__ import annotations

import pytest

from audit.records.errors import InputError
from audit.records.upload import Upload
from audit.records.workload import FieldValue
from workload.read import read_workload

LINE = "torchrun --nproc_per_node 8 train.py --bf16 --per_device_train_batch_size 2"


def seed(before: str, word: str = "$S") -> FieldValue:
    text = f"{before}\n{LINE} --seed {word}\n"
    return read_workload([Upload("go.sh", text.encode())]).fields["seed"]


OPEN = [
    ('if [ "$X" = a ]; then S=1; else S=2; fi', "$S", "1 (line 1) or 2 (line 1)"),
    ('if [ "$X" = a ]; then S=1; elif [ "$X" = b ]; then S=2\nelse S=3; fi', "$S",
     "1 (line 1) or 2 (line 1) or 3 (line 2)"),
    ('S=1\nif [ "$X" = a ]; then S=2; fi', "$S", "2 (line 2) or 1 (line 1)"),
    ('if [ "$X" = a ]; then S=2; fi', "$S", "2 (line 1) or not set"),
    ('if [ "$X" = a ]; then S=2; fi', "${S:-7}", "2 (line 1) or 7 (line 2)"),
    ("case $X in\n  a) S=1 ;;\n  b|c) S=2 ;;\n  *) S=3 ;;\nesac", "$S",
     "1 (line 2) or 2 (line 3) or 3 (line 4)"),
    ("case $X in a) S=1 ;; esac", "${S-5}", "1 (line 1) or 5 (line 2)"),
    ("for S in 1 2; do :", "$S; done", "$S changes in a loop: 1 (line 1) or 2 (line 1)"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "word", "told"), OPEN)
def test_every_value_that_a_condition_leaves_is_told(before: str, word: str, told: str) -> None:
    found = seed(before, word)
    assert (found.origin, found.value) == ("unknown", None)
    assert (found.source or "").endswith(told)


def test_a_value_that_the_text_does_not_show_leaves_nothing_to_list() -> None:
    found = seed('if [ "$X" = a ]; then S=1; else S=$(date +%s); fi')
    assert (found.origin, found.source) == ("unknown", "it depends on a condition")


DECIDED = [
    ("M=big; case $M in small|tiny) S=1 ;; b*) S=2 ;; *) S=3 ;; esac", "$S", 2),
    ("M=odd; case $M in small) S=1 ;; b*) S=2 ;; *) S=3 ;; esac", "$S", 3),
    ("S=9; M=odd; case $M in small) S=1 ;; esac", "$S", 9),
    ("if [ 2 -gt 1 ]; then S=1; else S=2; fi", "$S", 1),
    ('if [ "$X" = a ]; then S=4; else S=4; fi', "$S", 4),
    ("S=$1", "${S:-6}", 6),
    ("", "${S:-6}", 6),
    ("S=3", "${S:-6}", 3),
]


@pytest.mark.parametrize(("before", "word", "value"), DECIDED)
def test_what_the_text_decides_is_stated(before: str, word: str, value: int) -> None:
    found = seed(before, word)
    assert (found.origin, found.value) == ("stated", value)


def test_a_variable_of_the_environment_lists_its_values_as_well() -> None:
    text = f'if [ "$X" = a ]; then N=1; else N=0; fi\nexport NCCL_P2P_DISABLE=$N\n{LINE}\n'
    fields = read_workload([Upload("go.sh", text.encode())]).fields
    assert fields["env:NCCL_P2P_DISABLE"].source == (
        "it depends on a condition: 1 (line 1) or 0 (line 1)"
    )


def test_a_launch_line_beyond_all_reason_is_refused_at_its_line() -> None:
    flags = "".join(f"  --learning_rate 1e-{at % 9 + 1} \\\n" for at in range(30_000))
    with pytest.raises(InputError) as caught:
        read_workload([Upload("go.sh", f"{LINE} \\\n{flags}  --seed 1\n".encode())])
    assert "too many words" in caught.value.reason
    assert caught.value.line is not None
    assert caught.value.line > 5_000


def test_an_array_beyond_all_reason_leaves_what_follows_open() -> None:
    words = "--note x " * 2_500
    text = f'A=({words})\n{LINE} "${{A[@]}}" --seed 3\n'
    workload = read_workload([Upload("go.sh", text.encode())])
    assert "seed" not in workload.fields
    assert any("very many arguments" in one.message for one in workload.notices)
