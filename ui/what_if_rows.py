"""The answer to a what-if as a table: two lines per card, its price to edit, notes beneath."""

from __future__ import annotations

from html import escape

from audit.export.what_if import HEADS, NOT_KNOWN, Cell, cells, place_text
from audit.records.errors import UserError
from audit.records.what_if import CardPrice, Fits, WhatIf, WhatIfArm, WhatIfRow
from ui.figures import marked, words
from ui.marks import Shape, shape, source_link
from ui.what_if_form import short_name

ARMS = {"baseline": "Your file", "patched": "Patched"}
METRICS = (
    "peak_memory_gb", "tokens_per_s", "usd_per_million_tokens", "run_s", "run_usd",
    "micro_batch_max",
)  # fmt: skip
RUN = ("run_s", "run_usd")
"""Columns that stand only where the length of the run is known."""
FIT: dict[Fits, tuple[Shape, str]] = {
    "fits": ("passed", "fits"),
    "tight": ("high", "may not fit"),
    "no": ("failed", "does not fit"),
    "unknown": ("info", "memory not known"),
}


def rows_part(found: WhatIf, *, first: bool = False) -> str:
    """The table and its notes; `first`: nobody has asked yet."""
    shown = [
        (place, head)
        for place, (head, metric) in enumerate(zip(HEADS, METRICS, strict=True))
        if found.run.tokens is not None or metric not in RUN
    ]
    heads = "".join(f'<th scope="col" class="gg-number">{head}</th>' for _, head in shown)
    places = [place for place, _ in shown]
    body = "".join(_card(row, places) for row in found.rows)
    return (
        f'<p class="gg-sub gg-run-length"{" data-first" * first}>On {place_text(found)}. '
        f"The whole run: {escape(found.run.told)}.</p>"
        '<div class="gg-scroll" tabindex="0" role="region" aria-label="What if: the table">'
        '<table class="gg-elsewhere"><thead><tr><th scope="col">Card and price</th>'
        f'<th scope="col"><span class="gg-sr">File</span></th>{heads}</tr></thead>{body}</table>'
        f"</div>{_notes(found)}"
    )


def fault_part(error: UserError) -> str:
    """What is wrong with the question, in the place of the answer."""
    return (
        f'<div class="gg-error" role="alert">{shape("critical")}'
        f"<div><p>{words(str(error))}</p></div></div>"
    )


def _card(row: WhatIfRow, places: list[int]) -> str:
    lines = [_line(arm, row, places) for arm in row.arms]
    if row.arm("patched") is None and not row.arms[0].reason:
        told = "nothing to change on this card"
        lines.append(_told("Patched", told, len(places)))
    audited = ' <span class="gg-chip">as audited</span>' if row.audited else ""
    memory = f" {row.memory_gb:g} GB" if row.memory_gb and "GB" not in row.name else ""
    head = (
        f'<th scope="rowgroup" rowspan="{len(lines)}"><span class="gg-card-name">'
        f"{escape(short_name(row.name))}{memory}</span>{audited}{_price(row)}</th>"
    )
    first = lines[0].replace("<tr>", f"<tr>{head}", 1)
    mark = ' class="gg-audited"' if row.audited else ""
    return f'<tbody{mark} data-card="{row.hardware}">{first}{"".join(lines[1:])}</tbody>'


def _price(row: WhatIfRow) -> str:
    """The price as a field; under it where it comes from."""
    price = row.price
    listed = "" if price is None else f"{price.usd_per_hour:g}"
    name = f"Price of {short_name(row.name)}, dollars per GPU hour"
    yours = int(price is not None and price.origin == "yours")
    return (
        '<label class="gg-price"><span aria-hidden="true">$</span>'
        f'<input data-price="{row.hardware}" data-yours="{yours}" '
        f'inputmode="decimal" '
        f'value="{listed}" placeholder="price" aria-label="{escape(name)}">'
        '<span aria-hidden="true">per GPU hour</span></label>'
        f"<small>{_offer(price)}</small>"
    )


def _offer(price: CardPrice | None) -> str:
    if price is None:
        return "price not known: write yours"
    if price.source is None:
        return "your price"
    dated = price.source.model_copy(update={"title": price.source.as_of, "as_of": ""})
    link = source_link(dated).partition(", <span")[0]
    return f'<span title="{escape(price.source.title)}">{escape(price.offer)}, {link}</span>'


def _line(arm: WhatIfArm, row: WhatIfRow, places: list[int]) -> str:
    name = ARMS[arm.name]
    if arm.peak_memory_gb is None:
        return _told(name, arm.reason, len(places))
    found = cells(arm, row)
    shown = "".join(_cell(METRICS[place], found[place], arm) for place in places)
    return f'<tr><th scope="row">{name}{_note(arm)}</th>{shown}</tr>'


def _note(arm: WhatIfArm) -> str:
    """What the figures are of; behind a fold, where the patch is not the audit's."""
    if not arm.note:
        return ""
    if not arm.differs:
        return f"<small>{words(arm.note)}</small>"
    fields = "".join(f"<li><code>{escape(field)}</code></li>" for field in arm.differs)
    return (
        f"<small><details><summary>{words(arm.note)}, not all the same</summary>"
        f"<ul>{fields}</ul></details></small>"
    )


def _told(name: str, told: str, columns: int) -> str:
    return (
        f'<tr><th scope="row">{name}</th>'
        f'<td colspan="{columns}" class="gg-muted">{words(told)}</td></tr>'
    )


def _cell(metric: str, cell: Cell, arm: WhatIfArm) -> str:
    head = f' data-head="{escape(HEADS[METRICS.index(metric)])}"'
    if not cell.known:
        return f'<td class="gg-number gg-muted"{head}>{NOT_KNOWN.value}</td>'
    value = marked(metric, cell.value, "projected")
    beside = escape(cell.beside)
    if metric == "peak_memory_gb":
        sign, said = FIT[arm.fits]
        beside = (
            f'{escape(cell.beside.partition(",")[0])}<span class="gg-fit gg-{sign}">{shape(sign)}'
            f"{said}</span>"
        )
    return f'<td class="gg-number"{head}>{value}<small>{beside}</small></td>'


def _notes(found: WhatIf) -> str:
    assumed = dict.fromkeys(
        sentence for row in found.rows for arm in row.arms for sentence in arm.assumptions
    )
    notes = "".join(f"<li>{words(note)}</li>" for note in found.notes)
    guesses = "".join(f"<li>Assumed: {words(sentence)}.</li>" for sentence in assumed)
    share = f"{found.confidence:.0%}"
    return (
        f'<ul class="gg-what-if-notes"><li>Ends are {share} intervals; largest micro-batch: with a '
        f"tenth of the card to spare.</li>{notes}{guesses}</ul>"
    )
