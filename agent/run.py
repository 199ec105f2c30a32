"""One audit under way: its state, moved by one stage at a time, each told to the log.

Tools and the rules that finish an audit both go through `perform`; nothing else changes the state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from agent.services import Services
from agent.stages import STAGE
from agent.state import AuditState
from agent.telling import stage_result, stage_text
from agent.watch import TookTooLong, watched
from audit.records.errors import Cancelled, ModelMistake, UserError
from audit.records.events import StageData, StageName
from audit.records.lead import Lead

STAGE_SECONDS = 120.0
LIMITS: dict[StageName, float] = {"benchmark": 4 * 3600.0}
"""A stage that takes longer is stopped. A benchmark's length is its runner's affair: this is for
one that hangs."""
MAX_LEADS = 24
"""Of one report."""


class AuditRun:
    """Holds the state; `stages` keeps who has performed what."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.state = AuditState()
        self._seconds: dict[StageName, float] = {}
        self._leads = threading.Lock()

    def perform(self, name: StageName) -> AuditState:
        """Run one stage and record what it found.

        Raises:
            ModelMistake: it is not this stage's turn; nothing is recorded.
            Cancelled, UserError: recorded as a cancelled or failed stage first; a stage that
                takes too long is a UserError, a benchmark that does a failed run.
        """
        self.services.check_cancelled()
        start = time.perf_counter()
        if name not in self._seconds:
            self._record(name, "running")
        self._seconds.setdefault(name, 0.0)
        try:
            with watched(LIMITS.get(name, STAGE_SECONDS), self.services.cancelled):
                state = STAGE[name](self.state, self.services)
        except ModelMistake:
            raise
        except TookTooLong as late:
            self._record(name, "failed", str(late))
            message = f"the stage {name} did not end ({late})"
            raise UserError(message, remedy="Try with fewer or smaller files.") from late
        except Cancelled:
            self._record(name, "cancelled")
            raise
        except UserError as error:
            self._record(name, "failed", str(error))
            raise
        except Exception as error:
            self._record(name, "failed", f"internal error: {type(error).__name__}")
            raise
        self.state = state
        self._seconds[name] += time.perf_counter() - start
        self._tell(name)
        if name == "patch" and state.benches:
            self._tell("benchmark")  # measured before the patch: only now known to be over
        return state

    def keep_leads(self, leads: Iterable[Lead]) -> None:
        """Add what a research brought back; several may end at the same time."""
        with self._leads:
            self.state = self.state.moved(leads=(*self.state.leads, *leads)[:MAX_LEADS])

    def _tell(self, name: StageName) -> None:
        text, over = stage_text(name, self.state)
        self.services.record(
            StageData(
                stage=name,
                state=over,
                text=text,
                seconds=round(self._seconds[name], 6),
                result=stage_result(name, self.state),
            )
        )

    def _record(self, name: StageName, state: str, text: str = "") -> None:
        self.services.record(
            StageData.model_validate({"stage": name, "state": state, "text": text})
        )
