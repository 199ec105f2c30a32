"""A runner that costs money, for the tests: projections at a dollar for ten steps of an arm."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from audit.records.errors import MissingFacts, UserError
from audit.records.spec import Spec
from runner.fake import FakeRunner
from runner.protocol import Capabilities, Progress, Quote

SUBMITTED: list[Spec] = []
"""Every spec that was submitted in this process."""
QUOTED: list[Spec] = []
"""Every spec that was priced."""


class PricedRunner(FakeRunner):
    """FakeRunner with a bill."""

    def capabilities(self) -> Capabilities:
        return replace(super().capabilities(), name="priced", billable=True)

    def quote(self, spec: Spec) -> Quote:
        super().quote(spec)
        QUOTED.append(spec)
        if spec.terms is not None and spec.terms.flavor == "gone":
            message = "there is no machine called gone"
            raise UserError(message)
        usd = len(spec.arms) * spec.steps / 10
        return Quote(seconds=spec.steps, usd=usd, note="a dollar for ten steps of an arm")

    def submit(self, spec: Spec) -> str:
        SUBMITTED.append(spec)
        return super().submit(spec)

    def billed(self, run_id: str) -> float | None:
        return self.quote(self._spec(run_id)).usd


class StuckRunner(PricedRunner):
    """Its runs do not end by themselves."""

    def events(self, run_id: str) -> Iterator[Progress]:
        yield Progress("the run goes on")
        while True:
            time.sleep(0.05)
            yield Progress("")


class KeptRunner(PricedRunner):
    """Has every result from an earlier audit."""

    def quote(self, spec: Spec) -> Quote:
        return Quote(0.0, 0.0, "from cache, costs nothing", free=True)

    def billed(self, run_id: str) -> float | None:
        return 0.0


class HalfKeptRunner(PricedRunner):
    """Has the run of the file alone from an earlier audit."""

    def quote(self, spec: Spec) -> Quote:
        if len(spec.arms) > 1:
            return super().quote(spec)
        return Quote(0.0, 0.0, "from cache, costs nothing", free=True)


class UnknownRunner(PricedRunner):
    """Cannot run a file that says too little."""

    def quote(self, spec: Spec) -> Quote:
        message = "the size of the model is not known"
        raise MissingFacts(message, missing=("model_id",))
