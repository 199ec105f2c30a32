"""The REST and MCP tools: the commands `audit`, `parse`, `search`, ..., typed, and `approve`.

Each takes plain values and answers with the JSON that the command prints. Names, arguments and
docstrings are what an agent sees; the page's own events are private.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, Literal

import gradio as gr
from pydantic import ValidationError, validate_call

from agent.answers import estimate_answer, parse_answer, search_answer
from agent.api import report_of
from agent.card import card_for, card_of
from agent.jobs import Jobs, Started
from agent.money.approvals import Decision
from agent.request import AuditRequest
from agent.settings import Settings
from audit.log.faults import record_fault
from audit.log.redact import redact
from audit.log.scrub import scrub
from audit.records.errors import GoblinError, UserError
from audit.records.events import Event
from ui.api_finished import Finished
from ui.api_given import lengths_of, uploads_of, versions_of

Kind = Literal["neutral", "numerics", "dynamics"]
Answer = dict[str, Any]
OVER_FILES = ("audit", "approve", "parse", "search", "estimate")
OVER_AUDITS = ("compare", "what_if", "ask")
TOOLS = (*OVER_FILES, *OVER_AUDITS)
APPLIED: list[Kind] = ["neutral", "numerics"]
MOST_ANSWERS = 50
LOOK_SECONDS = 0.5
"""Between two looks at whether a run that may cost money waits for its owner."""


class Api:
    """The tools over one set of jobs."""

    def __init__(self, jobs: Jobs, settings: Settings) -> None:
        self._jobs, self._settings = jobs, settings

    def audit(
        self,
        files: dict[str, str],
        hardware: str = "",
        gpus: int = 1,
        nodes: int = 1,
        include: list[Kind] = APPLIED,
        keep: list[str] = [],  # noqa: B006 - never changed; the schema needs the type
        versions: dict[str, str] = {},  # noqa: B006
        lengths: str = "",
        dialect: str = "",
        step_time: float = 0.0,
        max_usd: float = 0.0,
    ) -> Answer:
        """Audit a fine-tuning file: what wastes the GPU or breaks training, and a patch to it.

        The file is read as data, never run. Every figure carries its provenance and interval.

        Args:
            files: file name -> text; the training file first, then what belongs to it.
            hardware: card such as mi300x, h100-sxm; empty: this server's, else assumed, and said.
            gpus: GPUs per node.
            nodes: nodes.
            include: kinds of edits that the patch may hold; dynamics changes what is learned.
            keep: field names to leave as they are, such as optimizer.
            versions: package -> version whose defaults to read, such as {"transformers": "4.57"}.
            lengths: token lengths of the samples, such as p50=310,p95=900,max=2048.
            dialect: read the file as this format, such as py_trl; empty: its content decides.
            step_time: seconds of one optimizer step today, to scale to; 0: not known.
            max_usd: dollars that model and runs may cost together; 0: no cap.

        Returns:
            audit_id, owner_token (approves, cancels and deletes), link, and the report; or, where
            runs cost money, the approval that waits: see `approve`.
        """
        runner = self._settings.default_runner
        card = card_for(hardware.strip(), runner, self._settings)
        request = AuditRequest(
            uploads=uploads_of(files),
            hardware=card.name,
            detected=card.detected,
            gpus=gpus,
            nodes=nodes,
            lengths=lengths_of(lengths),
            versions=versions_of(versions),
            dialect=dialect.strip() or None,
            include=frozenset(include),
            keep=frozenset(keep),
            backend=self._settings.backend,
            runner=runner,
            step_s=step_time or None,
            max_usd=max_usd or None,
        )
        return self._outcome(self._jobs.start(request))

    def approve(
        self,
        audit_id: str,
        owner_token: str,
        call_id: str,
        approved: bool,
        feedback: str = "",
        steps: int = 0,
        time_limit: str = "",
        machine: str = "",
        payer: str = "",
    ) -> Answer:
        """Approve or decline the runs of an audit that cost money; changed terms are priced anew.

        Args:
            audit_id: of the audit whose answer held an approval.
            owner_token: as `audit` gave it.
            call_id: of the approval that is decided.
            approved: whether the runs may start.
            feedback: why not, or what else to mind.
            steps: timed steps per arm; 0: as offered.
            time_limit: such as 30m; empty: as offered.
            machine: what to rent, as the runner calls it; empty: as offered.
            payer: user or organisation that pays; empty: as offered.

        Returns:
            As `audit`: the report, or the next approval where the terms were changed.
        """
        changes = {"timeout_s": time_limit, "flavor": machine, "namespace": payer}
        if steps:
            changes["steps"] = str(steps)
        decision = Decision(approved, feedback, changes)
        self._jobs.decide(audit_id, owner_token, call_id, decision)
        return self._outcome(Started(audit_id, owner_token), decided=call_id)

    def parse(
        self,
        files: dict[str, str],
        versions: dict[str, str] = {},  # noqa: B006
        dialect: str = "",
    ) -> Answer:
        """Read a fine-tuning file: every field with its value, origin, file and line.

        Args:
            files: file name -> text; the training file first, then what belongs to it.
            versions: package -> version whose defaults to read.
            dialect: read the file as this format; empty: its content decides.

        Returns:
            format, framework, fields, warnings, versions.
        """
        from workload.read import read_workload

        found = read_workload(
            uploads_of(files),
            versions=versions_of(versions) or None,
            dialect=dialect.strip() or None,
        )
        return dict(scrub(parse_answer(found)))

    def search(self, question: str, k: int = 5) -> list[Answer]:
        """Ask the knowledge base about fine-tuning on AMD and NVIDIA GPUs in words.

        Args:
            question: in your own words, such as "does bitsandbytes work on AMD".
            k: how many answers, 1 to 50.

        Returns:
            id, facts, score, title, claim and sources of each answer, best first.
        """
        from kb.search import search

        if not question.strip():
            message = "there is no question"
            raise UserError(message, remedy='Ask one, such as "is eager attention slow".')
        return search_answer(search(question, max(1, min(int(k), MOST_ANSWERS))))

    def estimate(
        self,
        files: dict[str, str],
        hardware: str = "",
        gpus: int = 1,
        nodes: int = 1,
        versions: dict[str, str] = {},  # noqa: B006
        lengths: str = "",
        dialect: str = "",
        step_time: float = 0.0,
    ) -> Answer:
        """Project speed and memory of a fine-tuning file on a card, with an 80% interval.

        Args:
            files: file name -> text; the training file first, then what belongs to it.
            hardware: card such as mi300x, h100-sxm; empty: this server's, else assumed.
            gpus: GPUs per node.
            nodes: nodes.
            versions: package -> version whose defaults to read.
            lengths: token lengths of the samples, such as p50=310,p95=900,max=2048.
            dialect: read the file as this format; empty: its content decides.
            step_time: seconds of one optimizer step today, to scale to; 0: not known.

        Returns:
            metrics with intervals, what was assumed, and the largest batch and samples that fit.
        """
        from agent.patching.quick import project

        return estimate_answer(
            project(
                uploads_of(files),
                hardware=card_of(hardware.strip(), self._settings).name,
                gpus=gpus,
                nodes=nodes,
                versions=versions_of(versions),
                dialect=dialect.strip() or None,
                lengths=lengths_of(lengths),
                step_s=step_time or None,
            )
        )

    def _outcome(self, started: Started, decided: str = "") -> Answer:
        """Wait for the end, or for an approval other than the one that was decided.

        Raises:
            GoblinError: the audit ended without a report.
        """
        found: Answer = {
            "audit_id": started.audit_id,
            "owner_token": started.owner_token,
            "link": f"/?audit={started.audit_id}",
        }
        look = None if self._settings.runner == "fake" else LOOK_SECONDS
        last: Event | None = None
        while last is None or not last.terminal:
            last = self._jobs.wait(started.audit_id, look)
            waits = self._jobs.pending(started.audit_id)
            if waits is not None and waits.call_id != decided:
                return found | {"approval": waits.model_dump(mode="json")}
        report = last.data.get("report")
        if report is None:
            report_of(last)  # raises what the audit ended with
        return found | {"report": report}


def told(tool: Callable[..., Any], settings: Settings) -> Callable[..., Any]:
    """The tool with its errors as one plain message; a fault of ours is logged, not shown."""
    checked = validate_call(tool)

    @wraps(tool)
    def answered(*given: Any, **named: Any) -> Any:
        try:
            return checked(*given, **named)
        except ValidationError as error:
            raise _refused(_wrong_arguments(tool, error)) from error
        except GoblinError as error:
            raise _refused(str(error)) from error
        except Exception as error:
            raise _refused(record_fault(settings.data_dir, tool.__name__, error)) from error

    return answered


def _refused(message: str) -> gr.Error:
    return gr.Error(redact(message), print_exception=False)


def _wrong_arguments(tool: Callable[..., Any], error: ValidationError) -> str:
    """`audit: gpus: Input should be a valid integer`: the first three that are wrong."""
    names = list(signature(tool).parameters)
    lines = []
    for fault in error.errors(include_url=False, include_input=False)[:3]:
        first, *rest = fault["loc"] or ("",)
        place = names[first] if isinstance(first, int) and first < len(names) else first
        lines.append(f"{'.'.join(map(str, (place, *rest)))}: {fault['msg']}")
    return f"{tool.__name__}: {'; '.join(lines)}"


def add_api(jobs: Jobs, settings: Settings) -> None:
    """Publish the tools; called inside the app's Blocks."""
    for offered, names in (
        (Api(jobs, settings), OVER_FILES),
        (Finished(jobs, settings), OVER_AUDITS),
    ):
        for name in names:
            tool = told(getattr(offered, name), settings)
            gr.api(tool, api_name=name, concurrency_limit=None)


def answer_in_json(demo: gr.Blocks) -> None:
    """Make MCP answers JSON: Gradio prints a dict as Python does, which no agent can parse."""
    server = demo.mcp_server_obj
    plain = server.postprocess_output_data

    def as_json(data: list[Any], root_url: str) -> list[Any]:
        texts = [
            said if isinstance(said, str) else json.dumps(said, ensure_ascii=False) for said in data
        ]
        return list(plain(texts, root_url))

    server.postprocess_output_data = as_json
