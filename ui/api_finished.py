"""The tools over finished audits, as REST and MCP offer them: `compare`, `what_if`, `ask`."""

from __future__ import annotations

from typing import Any

from agent.card import card_of
from agent.jobs import Jobs
from agent.settings import Settings
from audit.records.errors import UserError
from audit.records.report import Report
from ui.api_given import lengths_of, uploads_of, versions_of
from ui.asking import answer_to

Answer = dict[str, Any]


class Finished:
    """The tools over the audits of one server; whoever has an id may read."""

    def __init__(self, jobs: Jobs, settings: Settings) -> None:
        self._jobs, self._settings = jobs, settings

    def compare(self, audit_ids: list[str]) -> Answer:
        """Hold two or more finished audits against each other, each against the first.

        Args:
            audit_ids: ids of finished audits of this server, two to twelve.

        Returns:
            audits with their figures, fields that differ, comparisons with verdict and interval.
        """
        from agent.finished.side_by_side import MAX_AUDITS, compare_reports

        named = [(audit_id, self._report(audit_id)) for audit_id in audit_ids[: MAX_AUDITS + 1]]
        return compare_reports(named).model_dump(mode="json")

    def what_if(
        self,
        files: dict[str, str] = {},  # noqa: B006 - never changed; the schema needs the type
        audit_id: str = "",
        hardware: list[str] = [],  # noqa: B006
        gpus: int = 0,
        nodes: int = 0,
        rows: str = "",
        epochs: str = "",
        tokens: str = "",
        prices: dict[str, float] = {},  # noqa: B006
        versions: dict[str, str] = {},  # noqa: B006
        lengths: str = "",
        dialect: str = "",
        step_time: float = 0.0,
    ) -> Answer:
        """Project a fine-tuning file and its patch on other cards: memory, speed, time, money.

        Args:
            files: file name -> text; the training file first; empty where audit_id is given.
            audit_id: a finished audit of this server, instead of files.
            hardware: up to eight cards, such as ["mi300x", "b200"]; empty: four usual ones.
            gpus: GPUs per machine; 0: one, or as audited.
            nodes: machines; 0: one, or as audited.
            rows: samples of the dataset, such as 52k; for the time and price of a whole run.
            epochs: passes over it; empty: the file's.
            tokens: real tokens of the whole run, such as 1.5B, instead of rows.
            prices: card -> your price in dollars per hour of one GPU; else a dated price list.
            versions: package -> version whose defaults to read; with files.
            lengths: token lengths of the samples, such as p50=310,p95=900,max=2048.
            dialect: read the file as this format; with files.
            step_time: seconds of one optimizer step today, to scale to; with files; 0: not known.

        Returns:
            rows: per card its price, and of each file fit, speed, time and cost with intervals.
        """
        from agent.finished.run_length import RunAsked, read_amount
        from agent.finished.what_if import WhatIfAsked, what_if

        if bool(files) == bool(audit_id.strip()):
            message = "give files, or audit_id"
            raise UserError(message, remedy="One of the two says what to project.")
        stated = lengths_of(lengths)
        if audit_id.strip():
            report = self._report(audit_id.strip())
        else:
            report = self._audited(
                files, hardware, gpus, nodes, versions, lengths, dialect, step_time
            )
            stated = None  # they are the audit's
        asked = WhatIfAsked(
            cards=tuple(hardware),
            gpus=gpus or None,
            nodes=nodes or None,
            lengths=stated,
            run=RunAsked(
                tokens=read_amount("tokens", tokens),
                rows=read_amount("rows", rows),
                epochs=read_amount("epochs", epochs),
            ),
            prices=prices,
        )
        return what_if(report, asked).model_dump(mode="json")

    def ask(self, audit_id: str, question: str, owner_token: str = "") -> Answer:
        """Ask about a finished audit in words; answered from its record and the knowledge base.

        Args:
            audit_id: a finished audit of this server.
            question: in your own words, such as "why is the micro-batch raised".
            owner_token: as `audit` gave it; where this host has a model, only its owner may use it.

        Returns:
            said: sentences, each with what it rests on; by: search, or the model that worded it.
        """
        report = self._report(audit_id)
        owner = self._jobs.owns(audit_id, owner_token)
        answer = answer_to(question, report, self._settings, owner=owner)
        return answer.model_dump(mode="json")

    def _report(self, audit_id: str) -> Report:
        report = self._jobs.report(audit_id)
        if report is None:
            message = f"audit {audit_id} has no report"
            raise UserError(message, remedy="Give ids of audits that have finished.")
        return report

    def _audited(
        self,
        files: dict[str, str],
        hardware: list[str],
        gpus: int,
        nodes: int,
        versions: dict[str, str],
        lengths: str,
        dialect: str,
        step_time: float,
    ) -> Report:
        """The files audited for the first card, as the command `what-if` does; nothing is kept."""
        from agent.api import audit
        from agent.request import AuditRequest

        card = card_of(next(iter(hardware), None), self._settings)
        return audit(
            AuditRequest(
                uploads=uploads_of(files),
                hardware=card.name,
                detected=card.detected,
                gpus=gpus or 1,
                nodes=nodes or 1,
                versions=versions_of(versions),
                lengths=lengths_of(lengths),
                dialect=dialect.strip() or None,
                step_s=step_time or None,
            )
        )
