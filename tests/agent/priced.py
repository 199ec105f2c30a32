"""A runner that costs money, for the tests: projections at a dollar for ten steps of an arm."""

from __future__ import annotations

from dataclasses import replace

from audit.records.errors import UserError
from audit.records.spec import Spec
from runner.fake import FakeRunner
from runner.protocol import Capabilities, Quote

SUBMITTED: list[Spec] = []
"""Every spec that was submitted in this process."""


class PricedRunner(FakeRunner):
    """FakeRunner with a bill."""

    def capabilities(self) -> Capabilities:
        return replace(super().capabilities(), name="priced", billable=True)

    def quote(self, spec: Spec) -> Quote:
        super().quote(spec)
        if spec.terms is not None and spec.terms.flavor == "gone":
            message = "there is no machine called gone"
            raise UserError(message)
        return Quote(seconds=spec.steps, usd=len(spec.arms) * spec.steps / 10)

    def submit(self, spec: Spec) -> str:
        SUBMITTED.append(spec)
        return super().submit(spec)

    def billed(self, run_id: str) -> float | None:
        return self.quote(self._spec(run_id)).usd
