"""What the page does on each event: start an audit, read along, open a link, cancel, save."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from agent.jobs import Jobs, Started
from agent.request import AuditRequest
from agent.settings import Settings
from audit.records.errors import GoblinError, UserError
from audit.records.events import ErrorData
from audit.records.report import Report
from audit.records.upload import Upload
from ui.download import File, patch_file, patched_file, report_file
from ui.errors import error_part, gone_part
from ui.form import Filled, fault_excerpt, request_of, take_files
from ui.layout import Page
from ui.live import follow_audit
from ui.paint import Values, view_mark
from ui.samples import Shown, sample_request

AUDIT_ID = re.compile(r"[0-9a-f]{32}")
MAX_OWNED = 200
"""Owner tokens that a browser keeps; the oldest go first."""

Update = dict[Any, Any]
"""New values by component; a component that is absent stays as it is."""


def owner_tokens(owned: object) -> dict[str, str]:
    """The owner tokens in what the browser sent; anything else in it is left out."""
    if not isinstance(owned, Mapping):
        return {}
    return {
        name: token
        for name, token in owned.items()
        if isinstance(name, str) and AUDIT_ID.fullmatch(name) and isinstance(token, str)
    }


def as_error(error: GoblinError) -> ErrorData:
    """An error that was raised before there was an audit, as the page shows it."""
    if not isinstance(error, UserError):
        return ErrorData(kind="internal", message=str(error))
    message = str(error).removesuffix(f". {error.remedy}") if error.remedy else str(error)
    return ErrorData(
        kind=error.kind, message=message, file=error.file, line=error.line, remedy=error.remedy
    )


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
        owned, held, paths = form.pop("owned"), form.pop("held") or {}, form.pop("files") or []
        form |= {name: form[name] or "" for name in ("pasted", "versions", "dialect")}
        filled = Filled(paths=[str(path) for path in paths], held=held, **form)
        try:
            files = {} if filled.pasting else take_files(filled.paths, held)
            yield {self._page.held: {**held, **files}}
            yield from self._start(request_of(filled, files, self._settings), owned)
        except UserError as error:
            yield self._trouble(as_error(error))

    def run_sample(self, name: str, hardware: str | None, owned: object) -> Iterator[Update]:
        """A sample's button or link: the same audit as for any file."""
        try:
            request = sample_request(name, self._settings, hardware or None)
            yield from self._start(request, owned, sample_link(name, hardware))
        except UserError as error:
            yield self._trouble(as_error(error))

    def open_link(self, owned: object, request: gr.Request) -> Iterator[Any]:
        """As the address asks: an audit to read along, a sample to audit, or the first view."""
        asked = request.query_params
        audit_id, name = str(asked.get("audit") or ""), str(asked.get("sample") or "")
        if audit_id:
            yield from self._open_audit(audit_id, owned)
        elif name:
            yield from self.run_sample(name, str(asked.get("hardware") or ""), owned)
        else:
            yield gr.skip()

    def run_again(self, audit_id: str, owned: object) -> Iterator[Update]:
        """The same files and wishes once more, under a new id."""
        try:
            token = owner_tokens(owned).get(audit_id, "")
            yield from self._along(self._jobs.again(audit_id, token), owned)
        except UserError as error:
            yield self._trouble(as_error(error))

    def cancel(self, audit_id: str, owned: object) -> Any:
        """Answers at once; the run itself stops at its next step."""
        try:
            self._jobs.cancel(audit_id, owner_tokens(owned).get(audit_id, ""))
        except UserError as error:
            gr.Warning(str(error))
            return gr.skip()
        return gr.update(value="Cancelling…", interactive=False)

    def save(self, kind: str, audit_id: str, owned: object) -> File | None:
        """The file behind a download button: `patch`, `report` or the owner's `patched`."""
        try:
            if kind == "patched":
                token = owner_tokens(owned).get(audit_id, "")
                return patched_file(self._jobs.patched_files(audit_id, token))
            report = self._report(audit_id)
        except UserError as error:
            gr.Warning(str(error))
            return None
        if report is None:
            return None
        return patch_file(report) if kind == "patch" else report_file(report)

    def _report(self, audit_id: str) -> Report | None:
        """The report on the page: that of the audit, or of the first view's sample."""
        if audit_id:
            return self._jobs.report(audit_id)
        return self._shown.report if self._shown else None

    def _parts(self, values: Values) -> Update:
        return {self._page.parts[name]: value for name, value in values.items()}

    def _open_audit(self, audit_id: str, owned: object) -> Iterator[Update]:
        page = self._page
        link: Update = {page.audit_id: audit_id, page.link: f"./?{urlencode({'audit': audit_id})}"}
        try:
            for update in self._follow(audit_id, owner_tokens(owned).get(audit_id)):
                yield {**link, **update}
                link = {}
        except UserError:
            gone: Values = {"view": view_mark("gone"), "run_head": gone_part(audit_id)}
            yield {**self._parts(gone), page.cancel: gr.update(visible=False)}

    def _start(
        self, request: AuditRequest, owned: object, link: str | None = None
    ) -> Iterator[Update]:
        """Start a detached audit, then read along."""
        yield from self._along(self._jobs.start(request), owned, link, request.uploads)

    def _along(
        self,
        started: Started,
        owned: object,
        link: str | None = None,
        uploads: tuple[Upload, ...] = (),
    ) -> Iterator[Update]:
        """Read along as the owner of an audit that was just started.

        The tokens go with every update: else Gradio's client writes "no change" into what it keeps.
        """
        kept = {**owner_tokens(owned), started.audit_id: started.owner_token}
        tokens = dict(list(kept.items())[-MAX_OWNED:])
        first: Update = {
            self._page.audit_id: started.audit_id,
            self._page.link: link or f"./?audit={started.audit_id}",
        }
        for update in self._follow(started.audit_id, started.owner_token, uploads):
            yield {**first, self._page.owned: tokens, **update}
            first = {}

    def _follow(
        self, audit_id: str, token: str | None, uploads: tuple[Upload, ...] = ()
    ) -> Iterator[Update]:
        """The page while an audit runs; the starter's own bad input goes back to the form."""
        page, owner = self._page, self._jobs.owns(audit_id, token)
        ended: bool | None = None
        for moment in follow_audit(self._jobs, audit_id):
            view = moment.view
            if view.error is not None and view.error.kind == "input" and uploads:
                yield self._trouble(view.error, uploads)
                return
            update = self._parts(moment.values)
            if ended is not view.ended:
                ended = view.ended
                update[page.cancel] = gr.update(
                    visible=owner and not ended, value="Cancel", interactive=True
                )
                stopped = view.cancelled is not None or view.error is not None
                update[page.again] = gr.update(visible=owner and stopped)
                patched = view.report is not None and bool(view.report.patch.diff)
                update[page.download["patch"]] = gr.update(visible=patched)
                update[page.download["patched"]] = gr.update(visible=owner and patched)
            yield update or {page.cancel: gr.skip()}

    def _trouble(self, error: ErrorData, uploads: tuple[Upload, ...] = ()) -> Update:
        """The form with what is wrong beside it; what the visitor gave stays."""
        shown = fault_excerpt(error, uploads)
        values: Values = {"view": view_mark("trouble"), "trouble": error_part(error, shown)}
        hidden = dict.fromkeys((self._page.cancel, self._page.again), gr.update(visible=False))
        return {**self._parts(values), self._page.link: "", **hidden}
