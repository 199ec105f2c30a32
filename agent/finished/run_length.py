"""How much there is to train: the real tokens of a whole run, from the file or from what is stated.

Tokens, because they stay the same on another card, GPU count or micro-batch; steps do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.records.errors import MissingFacts, UserError
from audit.records.what_if import RunLength
from audit.records.workload import Workload

MOST_TOKENS, MOST_ROWS, MOST_EPOCHS = 1e16, 1e12, 1e5
"""Beyond them is a slip of the keyboard."""
ASK = "not known: state the rows of the dataset (and epochs), or the tokens of the run"

AMOUNT = re.compile(r"(\d{1,18}(?:\.\d{0,9})?(?:e\d{1,2})?)\s*([kmbt]?)", re.I)
SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


def read_amount(name: str, text: str | None) -> float | None:
    """`52k`, `1.5B`, `3e9` or `52,000` as a number; None where nothing is written.

    Raises:
        UserError: anything else, told under its `name`.
    """
    if text is None or not text.strip():
        return None
    found = AMOUNT.fullmatch(text.strip().replace(",", "").replace("_", ""))
    if found is None:
        message = f"{name} {text[:40]} is no number"
        raise UserError(message, remedy="Write 52000, 52k, 1.5M or 2B.")
    return float(found[1]) * SCALE[found[2].lower()]


@dataclass(frozen=True, slots=True)
class RunAsked:
    """What the user says of the run's length; the file speaks where this is None."""

    tokens: float | None = None
    """Real tokens of the whole run."""
    rows: float | None = None
    """Samples of the dataset."""
    epochs: float | None = None

    def check(self) -> None:
        """Raise UserError for a number that no run has."""
        for name, value, most in (
            ("tokens", self.tokens, MOST_TOKENS),
            ("rows", self.rows, MOST_ROWS),
            ("epochs", self.epochs, MOST_EPOCHS),
        ):
            if value is not None and not 0 < value <= most:
                message = f"{name} is {value:g}; it must be over 0 and at most {most:g}"
                raise UserError(message)


def run_length(
    workload: Workload, hardware: str, gpus: int, nodes: int, asked: RunAsked
) -> RunLength:
    """The tokens of the run, from the strongest statement there is.

    Args:
        workload: the file as written.
        hardware: the card whose counts the file's steps are of.
        gpus: cards per machine there.
        nodes: machines there.
        asked: what the user states.

    Raises:
        UserError: a stated number that no run has.
    """
    asked.check()
    if asked.tokens is not None:
        return RunLength(tokens=asked.tokens, told=f"{asked.tokens:,.0f} tokens, as you state")
    if asked.rows is not None:
        return _of_rows(workload, hardware, asked)
    steps = workload.value("max_steps")
    if isinstance(steps, int | float) and not isinstance(steps, bool) and steps > 0:
        return _of_steps(workload, hardware, gpus, nodes, int(steps))
    return RunLength(tokens=None, told=ASK)


def _of_rows(workload: Workload, hardware: str, asked: RunAsked) -> RunLength:
    from kb.catalog.models import find_model
    from runner.estimator.lengths import ASSUMED, fit_spread, pad_spread

    rows = asked.rows or 0.0
    epochs, whose = _epochs(workload, asked)
    lengths = workload.lengths or ASSUMED
    model = find_model(str(workload.value("model_id", "")))
    stated = workload.value("max_seq_len")  # `auto` is no number
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        stated = None
    most = stated or (model.max if model else None) or lengths.max
    mean = pad_spread(fit_spread(lengths), 1, float(min(lengths.max, int(most)))).real
    mean *= _sequences(workload, hardware)
    guessed = lengths.origin == "assumed"
    told = (
        f"{rows:,.0f} rows x {epochs:g} epochs ({whose}) x {mean:,.0f} tokens on average "
        f"({'lengths assumed' if guessed else 'from the lengths'})"
    )
    return RunLength(tokens=rows * epochs * mean, told=told, assumed=guessed or whose == "assumed")


def _epochs(workload: Workload, asked: RunAsked) -> tuple[float, str]:
    """How many, and who says so."""
    if asked.epochs:
        return asked.epochs, "as you state"
    field = workload.fields.get("num_epochs")
    value = workload.value("num_epochs")
    if field is None or isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return 1.0, "assumed"
    whose = "as the file says" if field.origin == "stated" else f"{field.origin} of {field.source}"
    return float(value), whose


def _sequences(workload: Workload, hardware: str) -> float:
    """Sequences that one row of the dataset is trained on: two of a preference pair."""
    from kb.catalog.hardware import find_hardware
    from runner.estimator.from_workload import read_job

    try:
        job = read_job(workload, find_hardware(hardware), 1, 1).job
    except MissingFacts:
        return 1.0
    return float(job.micro_batch / float(workload.value("per_device_train_batch_size", 1)))


def _of_steps(workload: Workload, hardware: str, gpus: int, nodes: int, steps: int) -> RunLength:
    from kb.catalog.hardware import find_hardware
    from runner.estimator.from_workload import read_job

    try:
        reading = read_job(workload, find_hardware(hardware), gpus, nodes)
    except MissingFacts as missing:
        return RunLength(tokens=None, told=f"not known: {missing.reason}")
    job = reading.job
    each = float(job.step_tokens * job.real)
    cards = "1 GPU" if gpus * nodes == 1 else f"{gpus * nodes} GPUs"
    return RunLength(
        tokens=steps * each,
        told=f"{steps:,} steps as the file says, of {each:,.0f} real tokens on {cards}",
        assumed=reading.variable,
    )
