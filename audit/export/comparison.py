"""Several audits side by side as text, Markdown, JSON and one self-contained HTML file."""

from __future__ import annotations

import json
from collections.abc import Iterator

from audit.export.arms import METRICS
from audit.export.figures import Row, metric_rows, speedup_text
from audit.export.html_charts import interval_bars, patterns
from audit.export.html_elements import badge, document, figure_table, text
from audit.export.markdown import code_span, plain
from audit.export.numbers import count
from audit.export.printable import printable
from audit.records.base import Interval, Json, Provenance
from audit.records.compared import Compared, ComparedAudit

FORMATS = ("text", "md", "json", "html")
NOTE = "Figures and fields are those of the patched file where an audit has a patch."


def compared_as(compared: Compared, form: str) -> str:
    """The comparison in one of FORMATS."""
    writers = {"text": compared_text, "md": compared_markdown, "html": compared_html}
    return writers[form](compared) if form in writers else compared_json(compared)


def compared_json(compared: Compared) -> str:
    """The record itself; the comparison of exactly two stands at its top as well."""
    whole = compared.model_dump(mode="json")
    if len(compared.comparisons) == 1:
        whole = {**whole["comparisons"][0], **whole}
    return json.dumps(whole, ensure_ascii=False) + "\n"


def compared_text(compared: Compared) -> str:
    """For a terminal: a line per metric, a column per audit."""
    lines = [f"{letter}: {_title(audit)}" for letter, audit in _lettered(compared)]
    for row in _rows(compared):
        lines.append(f"{row.label}: {' | '.join(row.texts)}")
    for field in compared.fields:
        lines.append(f"{field.field}: {' | '.join(map(_value, field.values))}")
    lines += [f"{head}: {verdict} {reason}" for head, verdict, reason in _verdicts(compared)]
    shown = (" ".join(line.split()) for line in lines)
    return printable("\n".join(shown)) + "\n"


def compared_markdown(compared: Compared) -> str:
    """Tables of figures and of differing fields, then the verdicts."""
    return "\n".join(_markdown(compared)) + "\n"


def compared_html(compared: Compared) -> str:
    """One self-contained file with a chart per metric."""
    return document(f"Comparison of {len(compared.audits)} audits", _html(compared))


def _lettered(compared: Compared) -> Iterator[tuple[str, ComparedAudit]]:
    for place, audit in enumerate(compared.audits):
        yield chr(ord("A") + place), audit


def _title(audit: ComparedAudit) -> str:
    card = audit.hardware
    return (
        f"{audit.workload_name} on {card.gpus * card.nodes} x {card.name} ({card.origin}), "
        f"{audit.arm}, {count(audit.edits, 'edit')}, {audit.provenance}, {audit.audit_id}"
    )


def _rows(compared: Compared) -> list[Row]:
    return metric_rows(*(audit.metrics for audit in compared.audits))


def _value(value: Json) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)


def _verdicts(compared: Compared) -> Iterator[tuple[str, str, str]]:
    for place, comparison in enumerate(compared.comparisons, start=1):
        said = speedup_text(comparison)
        yield (
            f"{chr(ord('A') + place)} against A",
            f"{said[:1].upper()}{said[1:]}.",
            (comparison.reason),
        )


def _markdown(compared: Compared) -> Iterator[str]:
    letters = [letter for letter, _ in _lettered(compared)]
    yield f"# Comparison of {len(compared.audits)} audits"
    yield ""
    yield from (f"- {letter}: {plain(_title(audit))}" for letter, audit in _lettered(compared))
    head, rule = " | ".join(letters), "|".join("---" for _ in letters)
    rows = _rows(compared)
    if rows:
        yield from ("", "## Figures", "", f"| | {head} |", f"|---|{rule}|")
        yield from (f"| {row.label} | {' | '.join(row.texts)} |" for row in rows)
    yield from ("", "## Against A", "")
    for name, verdict, reason in _verdicts(compared):
        yield f"- {name}: **{plain(verdict)}** {plain(reason)}"
    if compared.fields:
        yield from ("", "## What differs in the files", "", f"| | {head} |", f"|---|{rule}|")
        for field in compared.fields:
            cells = (code_span(_value(value)).replace("|", "\\|") for value in field.values)
            yield f"| {code_span(field.field)} | {' | '.join(cells)} |"
    yield from ("", NOTE)


def _html(compared: Compared) -> Iterator[str]:
    letters = [letter for letter, _ in _lettered(compared)]
    yield patterns()
    audits = "".join(
        f"<li>{letter}: {text(_title(audit))} {badge(audit.provenance)}</li>"
        for letter, audit in _lettered(compared)
    )
    verdicts = "".join(
        f"<p><b>{name}:</b> {text(verdict)} {text(reason)}</p>"
        for name, verdict, reason in _verdicts(compared)
    )
    yield (
        f'<header class="card"><h1>Comparison of {len(letters)} audits</h1><ul>{audits}</ul>'
        f"{verdicts}</header>"
    )
    rows = _rows(compared)
    if rows:
        charts = "".join(
            interval_bars(
                metric.title, _intervals(compared, metric.name), f" {metric.unit}".rstrip()
            )
            for metric in METRICS
        )
        table = figure_table(rows, letters)
        yield f'<h2>Figures</h2><section class="card">{charts}{table}</section>'
    if compared.fields:
        head = "".join(f'<th scope="col">{letter}</th>' for letter in letters)
        body = "".join(
            f'<tr><th scope="row"><code>{text(field.field)}</code></th>'
            + "".join(f"<td><code>{text(_value(value))}</code></td>" for value in field.values)
            + "</tr>"
            for field in compared.fields
        )
        yield (
            '<h2>What differs in the files</h2><section class="card"><div class="scroll"><table>'
            f"<thead><tr><th>field</th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
            "</section>"
        )
    yield f"<footer>{NOTE} Made by GPU Goblin: advice with sources, not a warranty.</footer>"


def _intervals(compared: Compared, metric: str) -> Iterator[tuple[str, Interval, Provenance]]:
    for letter, audit in _lettered(compared):
        found: Interval | None = getattr(audit.metrics, metric) if audit.metrics else None
        if found is not None and audit.metrics is not None:
            yield f"{letter}: {audit.workload_name}", found, audit.metrics.provenance
