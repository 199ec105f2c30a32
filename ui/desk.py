"""What the page does on each event: start an audit, read along, open a link, cancel, save."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from agent.finished.rebuild import MAX_RULES, EditChoice, rebuild
from agent.jobs import Jobs, Started
from agent.settings import Settings
from audit.records.errors import GoblinError, UserError
from audit.records.events import ApprovalRequiredData, ErrorData
from audit.records.report import Report
from audit.records.terms import Terms
from audit.records.upload import Upload
from ui.approval import decision_of, offer_shown
from ui.download import File, patch_file, patched_file, report_file
from ui.errors import error_part, gone_part
from ui.form import Filled, fault_excerpt, request_of, take_files
from ui.layout import ABOUT_LINK, Page
from ui.live import follow_audit
from ui.owned import owner_tokens
from ui.paint import Values, report_values, status_part, view_mark
from ui.samples import Shown, sample_request
from ui.second_round import offered
from ui.switches import Switches, patch_line, refusal, switches_of

AS_MADE = EditChoice()
NOT_YOURS = (
    "The link names a choice of edits, which only the browser that started this audit can rebuild: "
    "this is the patch as the audit made it."
)

Update = dict[Any, Any]
"""New values by component; a component that is absent stays as it is."""


def as_error(error: GoblinError) -> ErrorData:
    """An error that was raised before there was an audit, as the page shows it."""
    if not isinstance(error, UserError):
        return ErrorData(kind="internal", message=str(error))
    message = str(error).removesuffix(f". {error.remedy}") if error.remedy else str(error)
    return ErrorData(
        kind=error.kind, message=message, file=error.file, line=error.line, remedy=error.remedy
    )


def choice_of(given: object) -> EditChoice:
    """The choice of edits that the page shows, from what the browser sent."""
    if not isinstance(given, dict):
        return AS_MADE
    return EditChoice.read(given.get("off"), given.get("on"))


def sample_link(name: str, hardware: str | None) -> str:
    """`./?sample=NAME&hardware=ID`: recomputes, so it always works."""
    asked = {"sample": name} | ({"hardware": hardware} if hardware else {})
    return f"./?{urlencode(asked)}"


class Desk:
    """The events of one page; everything about a visitor comes with the event itself."""

    def __init__(self, page: Page, jobs: Jobs, settings: Settings, shown: Shown | None) -> None:
        self._page = page
        self._jobs = jobs
        self._settings = settings
        self._shown = shown

    def run_form(self, *given: Any) -> Iterator[Update]:
        """The button: read the form, start, follow. `given` is in the order of the inputs."""
        form = dict(zip((*self._page.form.inputs, "held", "owned"), given, strict=True))
        held, paths = form.pop("held") or {}, form.pop("files") or []
        owned = form.pop("owned")
        form |= {
            name: form.get(name) or ""
            for name in ("pasted", "versions", "dialect", "backend", "runner", "max_usd")
        }
        filled = Filled(paths=[str(path) for path in paths], held=held, **form)
        try:
            files = {} if filled.pasting else take_files(filled.paths, held)
            yield {self._page.held: {**held, **files}}
            request = request_of(filled, files, self._settings)
            self._abandon(owned)
            yield from self._along(self._jobs.start(request), uploads=request.uploads)
        except UserError as error:
            yield self._trouble(as_error(error))

    def run_sample(
        self, name: str, hardware: str | None, owned: object, choice: EditChoice = AS_MADE
    ) -> Iterator[Update]:
        """A sample's button or link: the same audit as for any file."""
        try:
            request = sample_request(name, self._settings, hardware or None)
            self._abandon(owned)
            started = self._jobs.start(request)
            yield from self._along(started, sample_link(name, hardware), request.uploads, choice)
        except UserError as error:
            yield self._trouble(as_error(error))

    def open_link(self, owned: object, request: gr.Request) -> Iterator[Any]:
        """As the address asks: an audit to read along, a sample to audit, or the first view."""
        asked = request.query_params
        audit_id, name = str(asked.get("audit") or ""), str(asked.get("sample") or "")
        choice = EditChoice.read(asked.get("off"), asked.get("on"))
        if audit_id:
            yield from self._open_audit(audit_id, owned, choice)
        elif name:
            yield from self.run_sample(name, str(asked.get("hardware") or ""), owned, choice)
        else:
            yield gr.skip()

    def run_again(self, audit_id: str, owned: object) -> Iterator[Update]:
        """The same files and wishes once more, under a new id."""
        try:
            token = owner_tokens(owned).get(audit_id, "")
            yield from self._along(self._jobs.again(audit_id, token))
        except UserError as error:
            yield self._trouble(as_error(error))

    def run_second_round(
        self, audit_id: str, keep: object, leave_out: object, owned: object
    ) -> Iterator[Update]:
        """The patch anew under the owner's wishes, as an audit of its own."""
        token = owner_tokens(owned).get(audit_id, "")
        wishes = [
            [str(one) for one in (given if isinstance(given, list) else ())]
            for given in (keep, leave_out)
        ]
        try:
            started = self._jobs.second_round(audit_id, token, keep=wishes[0], leave_out=wishes[1])
            yield from self._along(started)
        except UserError as error:
            gr.Warning(str(error))
            yield gr.skip()

    def cancel(self, audit_id: str, owned: object) -> Any:
        """Answers at once; the run itself stops at its next step."""
        try:
            self._jobs.cancel(audit_id, owner_tokens(owned).get(audit_id, ""))
        except UserError as error:
            gr.Warning(str(error))
            return gr.skip()
        return gr.update(value="Cancelling…", interactive=False)

    def decide(self, approved: bool, audit_id: str, owned: object, call: str, *given: Any) -> Any:
        """Approve or decline the runs that wait; the audit goes on by itself.

        Whoever reads along hides the box, or shows the next offer in it: hidden here as well, an
        offer that came back at once would be hidden with the one that was decided.
        """
        try:
            offered = self._jobs.pending(audit_id)
            terms = offered.terms if offered else Terms()
            token = owner_tokens(owned).get(audit_id, "")
            self._jobs.decide(audit_id, token, call, decision_of(approved, terms, *given))
        except UserError as error:
            gr.Warning(str(error))
        return gr.skip()

    def _abandon(self, owned: object) -> None:
        """A new run declines what waits in this browser's other audits."""
        for audit_id, token in owner_tokens(owned).items():
            with suppress(UserError):
                self._jobs.abandon(audit_id, token)

    def save(self, kind: str, audit_id: str, choice: object, owned: object) -> File | None:
        """The file behind a download button; `patched` is the owner's alone."""
        chosen = choice_of(choice)
        try:
            token = owner_tokens(owned).get(audit_id, "")
            if kind == "patched":
                return patched_file(self._jobs.patched_files(audit_id, token, chosen))
            report = self._report(audit_id, token, chosen)
        except UserError as error:
            gr.Warning(str(error))
            return None
        if report is None:
            return None
        return patch_file(report) if kind == "patch" else report_file(report, kind)

    def shown_report(self, audit_id: str, choice: object, owned: object) -> Report | None:
        """The report that the page shows, for the parts that answer questions about it."""
        return self._report(audit_id, owner_tokens(owned).get(audit_id, ""), choice_of(choice))

    def owns(self, audit_id: str, owned: object) -> bool:
        """Whether this browser started the audit."""
        return bool(audit_id) and self._jobs.owns(audit_id, owner_tokens(owned).get(audit_id))

    def switch_edits(self, audit_id: str, owned: object, event: gr.EventData) -> Any:
        """An edit switched off or on: patch, figures and verdict follow, where the visitor may."""
        asked = event._data or {}
        wanted = [str(rule) for rule in (asked.get("wanted") or [])[:MAX_RULES]]
        token, turn = owner_tokens(owned).get(audit_id, ""), int(asked.get("turn") or 0)
        try:
            made = self._report(audit_id)
            if made is None:
                return gr.skip()
            choice = EditChoice.wanting(made, wanted)
            report = self._report(audit_id, token, choice) or made
        except UserError as error:
            gr.Warning(str(error))
            return gr.skip()
        refused = refusal(report, str(asked.get("rule") or "")) if asked.get("on") else ""
        if refused:
            choice = EditChoice(choice.off, choice.on - {asked["rule"]})
        values = self._chosen(report, switches_of(made, choice, turn), first=not audit_id)
        return {**values, self._page.parts["status"]: status_part(refused + patch_line(report))}

    def _chosen(self, report: Report, switches: Switches, *, first: bool = False) -> Update:
        """The page of a report whose edits were switched."""
        note = self._shown.note if first and self._shown else ""
        level = 2 if first else 1
        values = report_values(report, note=note, level=level, switches=switches)
        shown, page = gr.update(visible=bool(report.patch.diff)), self._page
        files: Update = {page.download["patch"]: shown}
        if not first:
            files[page.download["patched"]] = shown
        return {**self._parts(values), **files}

    def _report(
        self, audit_id: str, token: str = "", choice: EditChoice = AS_MADE
    ) -> Report | None:
        """The report on the page: that of the audit, or of the first view's sample."""
        if audit_id:
            chosen = self._jobs.rebuilt(audit_id, token, choice) if choice else None
            return chosen or self._jobs.report(audit_id)
        if self._shown is None:
            return None
        return rebuild(self._shown.report, self._shown.request, choice)

    def _parts(self, values: Values) -> Update:
        return {self._page.parts[name]: value for name, value in values.items()}

    def _open_audit(
        self, audit_id: str, owned: object, choice: EditChoice = AS_MADE
    ) -> Iterator[Update]:
        page = self._page
        link: Update = {page.audit_id: audit_id, page.link: f"./?{urlencode({'audit': audit_id})}"}
        try:
            token = owner_tokens(owned).get(audit_id, "")
            for update in self._follow(audit_id, token, choice=choice):
                yield {**link, **update}
                link = {}
        except UserError:
            gone: Values = {"view": view_mark("gone"), "run_head": gone_part(audit_id)}
            yield {**self._parts(gone), page.cancel: gr.update(visible=False)}

    def _along(
        self,
        started: Started,
        link: str | None = None,
        uploads: tuple[Upload, ...] = (),
        choice: EditChoice = AS_MADE,
    ) -> Iterator[Update]:
        """Read along as the owner of an audit that was just started."""
        audit_id, token = started.audit_id, started.owner_token
        first: Update = {
            self._page.audit_id: audit_id,
            self._page.link: link or f"./?audit={audit_id}",
            self._page.owned: {audit_id: token},
        }
        for update in self._follow(audit_id, token, uploads, choice):
            yield {**first, **update}
            first = {}

    def _follow(
        self,
        audit_id: str,
        token: str,
        uploads: tuple[Upload, ...] = (),
        choice: EditChoice = AS_MADE,
    ) -> Iterator[Update]:
        """The page while an audit runs; the starter's own bad input goes back to the form."""
        page, owner = self._page, self._jobs.owns(audit_id, token)
        told = "" if owner or not choice else NOT_YOURS
        ended: bool | None = None
        asked: ApprovalRequiredData | None = None
        for moment in follow_audit(self._jobs, audit_id, owner=owner, told=told):
            view = moment.view
            if view.error is not None and view.error.kind == "input" and uploads:
                yield self._trouble(view.error, uploads)
                return
            update = self._parts(moment.values)
            if asked != view.pending:
                asked = view.pending
                update |= offer_shown(page.approval, asked, owner=owner)
            if ended is not view.ended:
                ended = view.ended
                update[page.cancel] = gr.update(
                    visible=owner and not ended, value="Cancel", interactive=True
                )
                stopped = view.cancelled is not None or view.error is not None
                update[page.again] = gr.update(visible=owner and stopped)
                update |= offered(page.second, view.report, owner=owner)
                patched = view.report is not None and bool(view.report.patch.diff)
                update[page.download["patch"]] = gr.update(visible=patched)
                update[page.download["patched"]] = gr.update(visible=owner and patched)
            if view.report is not None and owner and choice:
                report = self._report(audit_id, token, choice) or view.report
                update |= self._chosen(report, switches_of(view.report, choice))
            yield update or {page.cancel: gr.skip()}
        note = self._jobs.storage_note(audit_id) if owner else ""
        if note:
            yield {page.link: gr.update(info=f"{ABOUT_LINK} It may not outlive a restart: {note}.")}

    def _trouble(self, error: ErrorData, uploads: tuple[Upload, ...] = ()) -> Update:
        """The form with what is wrong beside it; what the visitor gave stays."""
        shown = fault_excerpt(error, uploads)
        values: Values = {"view": view_mark("trouble"), "trouble": error_part(error, shown)}
        hidden = dict.fromkeys((self._page.cancel, self._page.again), gr.update(visible=False))
        return {**self._parts(values), self._page.link: "", **hidden}
