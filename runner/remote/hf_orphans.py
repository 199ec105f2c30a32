"""Finds jobs by their labels and cancels them: those of audits that ended without stopping them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from runner.remote.hf_access import HubRefused, JobsAccess, asked, client

if TYPE_CHECKING:
    from huggingface_hub import HfApi

APP, AUDIT, RUN = "app", "goblin-audit", "goblin-run"
OURS = "gpu-goblin"
ALIVE = ["SCHEDULING", "RUNNING"]
MOST_NAMESPACES = 20


def labels_of(audit_id: str, mark: str) -> dict[str, str]:
    """The labels of one job: whose audit it is and which run, nothing of the file."""
    return {APP: OURS, AUDIT: audit_id or "none", RUN: mark}


def cancel_labelled(api: HfApi, namespace: str, label: str, values: Collection[str]) -> list[str]:
    """Cancel our jobs in one namespace whose `label` has one of these values; returns their ids.

    Raises:
        HubRefused: they cannot be listed, or one cannot be cancelled.
    """

    def listed() -> list[str]:
        jobs = api.list_jobs(status=ALIVE, labels={APP: OURS}, namespace=namespace, timeout=30)
        # the server was asked for these labels and stages; a job is cancelled only if it has them
        return [
            job.id
            for job in jobs
            if (job.labels or {}).get(label) in values and str(job.status.stage) in ALIVE
        ]

    found = asked(listed)
    for job_id in found:
        asked(lambda job_id=job_id: api.cancel_job(job_id=job_id, namespace=namespace))  # type: ignore[misc]
    return found


def cancel_orphans(access: JobsAccess, audit_ids: Collection[str]) -> list[str]:
    """Cancel what still runs of these audits, wherever the token's owner may pay; their ids.

    Raises:
        SetupError: there is no token.
        HubRefused: the service does not answer for the owner's own namespace.
    """
    api = client(access)
    who = asked(api.whoami)
    orgs = [str(org.get("name")) for org in who.get("orgs", []) if isinstance(org, dict)]
    found = cancel_labelled(api, str(who["name"]), AUDIT, set(audit_ids))
    for name in orgs[:MOST_NAMESPACES]:
        try:
            found += cancel_labelled(api, name, AUDIT, set(audit_ids))
        except HubRefused:
            continue  # an organisation without jobs, or one where the token may not look
    return found
