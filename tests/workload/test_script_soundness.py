"""Random programs are read and then run: whatever is read as stated is what every run has.

The programs are made here, from assignments, branches, loops, functions, dicts and attributes.
`maybe()` is what the text does not settle; each program is run with several answers to it.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from audit.records.upload import Upload
from workload.read import read_workload

HEAD = "from trl import SFTConfig, SFTTrainer\nfrom mine import maybe\n"
TAIL = "SFTTrainer(model='a/b', args=args).train()\n"
FIELDS = {"seed": "seed", "learning_rate": "learning_rate", "logging_steps": "logging_steps"}
NAMES = ("a", "b", "c")


class Trained(Exception):
    """The first training started."""


class Config:
    def __init__(self, output_dir: str = "", **keywords: Any) -> None:
        self.__dict__.update(keywords)


class Trainer:
    def __init__(self, model: Any = None, args: Any = None) -> None:
        self.args = args

    def train(self) -> None:
        raise Trained(dict(self.args.__dict__))


def program(seed: int) -> str:
    """A program of some twenty statements."""
    chance = random.Random(seed)
    lines = ["a, b, c = 1, 2, 3", "d = {'seed': 4}", "args = SFTConfig('o')", *_functions(chance)]
    lines += _block(chance, 0, chance.randint(3, 9))
    keywords = chance.sample(sorted(FIELDS), chance.randint(0, 2))
    written = [f"{name}={_value(chance)}" for name in keywords]
    if chance.random() < 0.6:
        unpack = ["**d"] if chance.random() < 0.4 and "seed" not in keywords else []
        lines.append(f"args = SFTConfig({', '.join(['output_dir=str(1)', *written, *unpack])})")
    lines += _block(chance, 0, chance.randint(0, 4))
    return "\n".join([*lines, ""])


def _functions(chance: random.Random) -> list[str]:
    lines = ["def one(x, y=5):", *_indent(_block(chance, 1, 2, ("x", "y")))]
    test = chance.choice(["maybe()", "x > 2", "y > 3 and maybe()"])
    lines += [f"    if {test}:", f"        return {_value(chance, ('x', 'y'))}"]
    lines += [f"    return {_value(chance, ('x', 'y', 'c'))}"]
    lines += ["def two(args, x=6):", *_indent(_block(chance, 1, 2, ("x",)))]
    lines += ["    if maybe():", "        args.logging_steps = x", "        return"]
    lines = lines[: -3 * chance.randint(0, 1) or None]
    return [*lines, "    args.seed = x"]


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _value(chance: random.Random, names: tuple[str, ...] = NAMES) -> str:
    return chance.choice(
        [
            str(chance.randint(1, 9)),
            chance.choice(names),
            f"{chance.choice(names)} + {chance.randint(1, 3)}",
            f"{chance.choice(names)} * 2",
            f"{chance.choice(names)} if maybe() else {chance.randint(1, 9)}",
            f"{chance.choice(names)} if {chance.randint(0, 1)} else 7",
            f"(lambda: {chance.choice(names)})()",
            f"[{chance.choice(names)}, 8][{chance.randint(0, 1)}]",
        ]
    )


def _block(
    chance: random.Random, depth: int, count: int, names: tuple[str, ...] = NAMES
) -> list[str]:
    made: list[str] = []
    for _ in range(max(1, count)):
        made += _statement(chance, depth, names)
    return made


def _statement(chance: random.Random, depth: int, names: tuple[str, ...]) -> list[str]:
    value = _value(chance, names)
    plain, outside = list(names), names == NAMES
    choices = [
        [f"{chance.choice(plain)} = {value}"],
        [f"{chance.choice(plain)} += {chance.randint(1, 3)}"],
        [f"{plain[0]}, {plain[-1]} = {value}, {chance.randint(1, 9)}"],
    ]
    if outside:
        choices += [
            [f"args.{chance.choice(sorted(FIELDS))} = {value}"],
            [f"d['{chance.choice(sorted(FIELDS))}'] = {value}"],
            [f"d.update(seed={value})"],
            [f"a = one({value}, y=b)"],
            [f"two(args, {value})"],
            [f"b = one({chance.randint(1, 5)})"],
            [f"args = SFTConfig(seed={value})"],
            ["other = args", "other.logging_steps = 3"],
        ]
    if depth < 2:
        inner = _indent(_block(chance, depth + 1, 2, names))
        more = _indent(_block(chance, depth + 1, 1, names))
        test = chance.choice(["maybe()", "a > 2" if "a" in names else "x", "1", "maybe() and 0"])
        choices += [
            [f"if {test}:", *inner],
            [f"if {test}:", *inner, "else:", *more],
            [f"if {test}:", *inner, "elif maybe():", *more],
            ["for i in range(2 if maybe() else 0):", *inner],
            ["while maybe():", *inner],
            ["try:", *inner, "    maybe() or 1 / 0", "except ZeroDivisionError:", *more],
            ["for i in (1, 2):", *inner, "    if maybe(): break", "else:", *more],
        ]
    return chance.choice(choices)


def run(text: str, seed: int) -> dict[str, Any] | None:
    """The attributes of the config when training first starts; None where the run ends before."""
    chance = random.Random(seed)
    answers = iter([chance.random() < 0.5 for _ in range(60)])
    names = {"SFTConfig": Config, "SFTTrainer": Trainer, "maybe": lambda: next(answers, False)}
    body = text.removeprefix(HEAD)
    try:
        exec(compile(body, "program", "exec"), names)
    except Trained as trained:
        return dict(trained.args[0])
    except TypeError:  # a keyword given twice, by name and by mapping
        return None
    return None


@settings(max_examples=250, deadline=None)
@given(some.integers(0, 10**9))
def test_what_is_read_as_stated_is_what_every_run_has(seed: int) -> None:
    text = HEAD + program(seed) + TAIL
    fields = read_workload([Upload("train.py", text.encode())]).fields
    for again in range(6):
        ran = run(text, again)
        if ran is None:
            continue
        for name, key in FIELDS.items():
            found = fields[name]
            if found.origin == "stated":
                assert ran.get(key, "not set") == found.value, f"{name}\n{text}"
            elif found.origin == "default":
                assert key not in ran, f"{name}\n{text}"


def test_most_of_what_is_certain_is_read() -> None:
    """The walk is of use: where all runs agree, the reading mostly says so."""
    certain = read = 0
    for seed in range(120):
        text = HEAD + program(seed) + TAIL
        runs = [one for again in range(8) if (one := run(text, again)) is not None]
        fields = read_workload([Upload("train.py", text.encode())]).fields
        for name, key in FIELDS.items():
            if runs and len({one.get(key, "not set") for one in runs}) == 1:
                certain += 1
                read += fields[name].origin != "unknown"
    assert read / certain > 0.7
