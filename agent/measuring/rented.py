"""The operator's rented machines: made for one audit, and found again where an audit left some.

Never on a public Space: its visitors would spend the operator's money.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import TYPE_CHECKING

from agent.offline import is_sealed
from agent.settings import Measuring, Settings
from audit.log.faults import record_fault
from audit.log.store import Store
from audit.records.errors import SetupError

if TYPE_CHECKING:
    from runner.remote.hf_access import JobsAccess
    from runner.remote.hf_jobs import HfJobsRunner

NAME = "hf_jobs"


def refuse_space(measuring: Measuring) -> None:
    """Raise SetupError on a Space: neither its machine nor its operator's money is a visitor's."""
    if measuring.on_space:
        message = "nothing is measured on this Space"
        raise SetupError(message, remedy="Run GPU Goblin on your own machine to measure.")


def rented_runner(measuring: Measuring) -> HfJobsRunner:
    """The runner of Hugging Face Jobs.

    Raises:
        SetupError: on a Space, or without HF_TOKEN.
    """
    from agent.named import RUNNERS, make
    from runner.remote.hf_access import client

    refuse_space(measuring)
    access = access_of(measuring)
    client(access)
    made: HfJobsRunner = make("runner", NAME, RUNNERS, access)
    return made


def access_of(measuring: Measuring) -> JobsAccess:
    """Token, address, container and audit, as the runner takes them."""
    from runner.remote.hf_access import IMAGE, JobsAccess

    return JobsAccess(
        token=measuring.hf_token,
        hub=measuring.hub_url,
        image=measuring.jobs_image or IMAGE,
        cache=measuring.cache,
        audit_id=measuring.audit_id,
    )


def stop_orphans(
    store: Store, settings: Settings, audit_ids: Collection[str]
) -> threading.Thread | None:
    """Cancel the jobs of audits that were interrupted, in the background; None: nothing to do.

    Args:
        store: the log, which says who ran an audit.
        settings: of the operator, whose token started the jobs.
        audit_ids: audits that a dead process left.
    """
    started = {audit_id: store.last(audit_id, "started") for audit_id in audit_ids}
    left = [one for one, event in started.items() if event and event.data["runner"] == NAME]
    if not left or not settings.models.hf_token or settings.on_space or is_sealed():
        return None

    def stop() -> None:
        from runner.remote.hf_access import HubRefused
        from runner.remote.hf_orphans import cancel_orphans

        try:
            cancel_orphans(access_of(settings.measuring), left)
        except (HubRefused, SetupError) as error:  # each job has a time limit of its own
            record_fault(settings.data_dir, "orphaned jobs", error)

    thread = threading.Thread(target=stop, name="orphans", daemon=True)
    thread.start()
    return thread
