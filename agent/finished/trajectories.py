"""Kept audits as lines of trajectories: which audits, in which form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.finished.trajectory import trajectory_of
from audit.export.atropos import Tokenizer, group_line
from audit.export.hermes import hermes_line
from audit.export.messages import messages_line
from audit.export.tokenizer_file import PLAIN, load_tokenizer
from audit.log.store import Store
from audit.records.trajectory import Trajectory

FORMATS = ("messages", "hermes", "atropos")
MANY = 100_000


def trajectory_lines(
    store: Store, audit_ids: Sequence[str], form: str, tokenizer: str = PLAIN
) -> Iterator[str]:
    """One JSON line per audit; of `atropos` one per group of audits of the same files.

    Args:
        store: the log.
        audit_ids: which audits; a group also takes the other kept audits of the same files.
        form: one of FORMATS.
        tokenizer: a tokenizer.json, or the plain one.

    Raises:
        UserError: an audit that never started; a tokenizer that is none.
    """
    chosen = [trajectory_of(store.events(audit_id)) for audit_id in audit_ids]
    if form == "atropos":
        yield from _groups(store, chosen, load_tokenizer(tokenizer))
        return
    write = messages_line if form == "messages" else hermes_line
    yield from map(write, chosen)


def all_started(store: Store) -> list[str]:
    """The ids of all kept audits that have started, oldest first."""
    found = [one.audit_id for one in store.summaries(limit=MANY) if one.workload_name]
    return found[::-1]


def _groups(store: Store, chosen: Sequence[Trajectory], tokenizer: Tokenizer) -> Iterator[str]:
    """Audits whose files were never read belong to no group and stand alone."""
    for one in chosen:
        if not one.upload:
            yield group_line([one], tokenizer)
    wanted = {one.upload for one in chosen if one.upload}
    groups: dict[str, list[Trajectory]] = {upload: [] for upload in wanted}
    for audit_id in all_started(store) if wanted else ():
        kept = trajectory_of(store.events(audit_id))
        if kept.upload in groups:
            groups[kept.upload].append(kept)
    for upload in dict.fromkeys(one.upload for one in chosen if one.upload):
        yield group_line(groups[upload], tokenizer)
