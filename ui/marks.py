"""The signs of the page: severity shapes, provenance badges, semantics chips, copy buttons."""

from __future__ import annotations

from html import escape
from typing import Literal

from audit.export.addresses import web_address
from audit.records.base import Provenance
from audit.records.finding import Semantics, Severity, Source

Shape = Severity | Literal["offered", "passed", "failed"]

_SHAPES: dict[str, str] = {
    "critical": '<path class="gg-fill" d="M5.2 1h5.6L15 5.2v5.6L10.8 15H5.2L1 10.8V5.2z"/>'
    '<path class="gg-cut" d="M8 4v5M8 10.6V12"/>',
    "high": '<path class="gg-fill" d="M8 1l7.4 13.4H.6z"/>'
    '<path class="gg-cut" d="M8 6v4M8 11.4v1.2"/>',
    "medium": '<path class="gg-draw" d="M8 1.2 14.8 8 8 14.8 1.2 8z"/>'
    '<path class="gg-draw" d="M8 5v3.4M8 10v1"/>',
    "low": '<circle class="gg-draw" cx="8" cy="8" r="6.2"/><path class="gg-draw" d="M5.2 8h5.6"/>',
    "info": '<circle class="gg-draw" cx="8" cy="8" r="6.2"/>'
    '<path class="gg-draw" d="M8 7.4v4M8 4.6v1"/>',
    "offered": '<path class="gg-draw" d="M8 2.2v11.6M2.2 8h11.6"/>',
    "passed": '<circle class="gg-fill" cx="8" cy="8" r="7"/>'
    '<path class="gg-cut" d="M4.6 8.3 7 10.7l4.4-5"/>',
    "failed": '<circle class="gg-fill" cx="8" cy="8" r="7"/>'
    '<path class="gg-cut" d="M5.4 5.4l5.2 5.2m0-5.2-5.2 5.2"/>',
}
_SEVERITY_WORD: dict[str, str] = {
    "critical": "Critical",
    "high": "High",
    "medium": "Medium",
    "low": "Low",
    "info": "Note",
    "offered": "Offered",
    "passed": "Passed",
    "failed": "Failed",
}
_PROVENANCE_WORD: dict[Provenance, str] = {
    "measured": "Measured",
    "imported": "Imported",
    "stated": "Stated",
    "projected": "Projected",
}
_SEMANTICS: dict[Semantics, tuple[str, str, str]] = {
    "neutral": ("=", "same maths", "The training result is the same up to summation order."),
    "numerics": ("≈", "other rounding", "Another kernel or number format computes the same thing."),
    "dynamics": ("Δ", "changes training", "What the model learns per step is different."),
}
_ICONS = {
    "copy": '<path class="gg-line" d="M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3"/>',
    "download": '<path class="gg-line" d="M8 1.5v8.2M4.6 6.4 8 9.8l3.4-3.4M2 13.5h12"/>',
}


def shape(kind: Shape) -> str:
    """The shape of a severity or state; words stand beside it, so it is hidden from readers."""
    return (
        f'<svg class="gg-shape" viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">'
        f"{_SHAPES[kind]}</svg>"
    )


def icon(name: Literal["copy", "download"]) -> str:
    """The picture on a button."""
    return (
        f'<svg class="gg-icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">'
        f"{_ICONS[name]}</svg>"
    )


def severity_mark(kind: Shape, text: str | None = None) -> str:
    """Shape, word and colour together."""
    return (
        f'<span class="gg-severity gg-{kind}">{shape(kind)}'
        f"<span>{escape(text or _SEVERITY_WORD[kind])}</span></span>"
    )


def provenance_word(provenance: Provenance, anchored: bool = False) -> str:
    """`Projected`, or `Projected, anchored to your log`."""
    word = _PROVENANCE_WORD[provenance]
    return f"{word}, anchored to your log" if anchored else word


def provenance_badge(
    provenance: Provenance, *, anchored: bool = False, text: str | None = None, large: bool = False
) -> str:
    """The badge before a group of figures: dashed always means that nothing ran."""
    size = " gg-large" if large else ""
    return (
        f'<span class="gg-badge gg-{provenance}{size}" data-badge="{provenance}">'
        f"{escape(text or provenance_word(provenance, anchored))}</span>"
    )


def semantics_chip(semantics: Semantics) -> str:
    """What an edit does to the training, as sign and words."""
    sign, words, meaning = _SEMANTICS[semantics]
    return (
        f'<span class="gg-chip gg-{semantics}" title="{escape(meaning)}">'
        f'<b aria-hidden="true">{sign}</b>{words}</span>'
    )


def copy_button(
    target: str,
    label: str = "Copy",
    *,
    described: str | None = None,
    primary: bool = False,
    small: bool = True,
) -> str:
    """A button that copies the text of the element with the id `target` and answers in place."""
    name = f' aria-label="{escape(described)}"' if described else ""
    look = "gg-button" + " gg-primary" * primary + " gg-small" * small
    return (
        f'<button type="button" class="{look}" data-copy="{escape(target)}"{name}>'
        f"{icon('copy')}<span>{escape(label)}</span></button>"
    )


def press_button(
    target: str, label: str, *, primary: bool = False, small: bool = False, picture: str = ""
) -> str:
    """A button that presses the page's own control with the id `target`."""
    look = "gg-button" + " gg-primary" * primary + " gg-small" * small
    return (
        f'<button type="button" class="{look}" data-press="{escape(target)}">'
        f"{picture}<span>{escape(label)}</span></button>"
    )


def source_link(source: Source) -> str:
    """A source with its title and date; a link where it has a web address."""
    title = escape(source.title)
    address = web_address(source.url)
    if address:
        title = (
            f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer"'
            f' title="{escape(source.url)}">{title}</a>'
        )
    return f'{title}, <span class="gg-nowrap">{escape(source.as_of)}</span>'


def turn_mark(asked: object) -> str:
    """Says which question of a visit an answer belongs to: two may read the same."""
    turn = asked.get("turn") if isinstance(asked, dict) else None
    return f'<i hidden data-turn="{turn}"></i>' if isinstance(turn, int) else ""
