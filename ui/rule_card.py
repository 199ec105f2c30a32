"""One rule in full: when it fires, what it edits, what to expect, how to check, its sources."""

from __future__ import annotations

import re
from html import escape

from audit.records.finding import Severity
from kb.catalog.hardware import find_hardware
from kb.factbook import find_fact
from kb.rule import EditPlan, Example, Rule
from kb.rulebook import find_rule
from ui.condition import say, say_formula, say_list, say_names
from ui.entry_parts import (
    entry_link,
    facts_list,
    head,
    meaning,
    part,
    row,
    rules_list,
    sources_list,
    spellings_table,
)
from ui.figures import count, value_text, words
from ui.marks import semantics_chip, severity_mark
from ui.phrases import FRAMEWORKS, VARIANTS, VENDORS, field_code

METRICS = {
    "speed": "Speed",
    "memory": "Memory",
    "starts": "The run starts",
    "quality": "Training quality",
    "none": "No change of speed or memory",
}
BASES = {
    "published": "published by the source",
    "derived": "the figure for your file comes from the estimator",
    "none": "no figure",
}


def scope_chips(rule: Rule) -> str:
    """Which cards, how many, which releases."""
    cards = ", ".join(rule.archs) or " and ".join(VENDORS[vendor] for vendor in rule.vendors)
    said = [cards or "any card"]
    if rule.multi_gpu:
        said.append("several GPUs")
    said += [f"{package} {wanted}" for package, wanted in rule.versions.items()]
    return "".join(f'<span class="gg-chip">{escape(one)}</span>' for one in said)


def plain_title(rule: Rule) -> str:
    """The title that a report shows; what depends on the file is named instead."""
    parts = re.split(r"\{([^}]*)\}", rule.title)
    return "".join(
        f"<i>{say_formula(text, rule.let)}</i>" if place % 2 else escape(text)
        for place, text in enumerate(parts)
    )


def severity_words(rule: Rule) -> str:
    """The severity, and under which condition it is another."""
    said = severity_mark(rule.severity)
    for case in rule.severity_cases:
        severity: Severity = case.severity
        said += f"<p>{severity_mark(severity)} where {say(case.when, rule.let).yes}</p>"
    if rule.stops_run is True:
        said += "<p>The run stops at start-up as written.</p>"
    elif isinstance(rule.stops_run, str):
        said += f"<p>The run stops where {say(rule.stops_run, rule.let).yes}.</p>"
    return said


def fires_when(rule: Rule) -> str:
    """The condition in words, and what must be so before it is asked."""
    said = say_list(rule.when, rule.let)
    if rule.applies != "true":
        said += f"<p>Asked only where</p>{say_list(rule.applies, rule.let)}"
    used = [rule.when, rule.applies, str(rule.stops_run), rule.title, rule.advice or ""]
    used += [case.when for case in rule.severity_cases]
    used += [text for plan in rule.edits for text in (plan.formula, plan.when) if text]
    return said + say_names(rule.let, used)


def effect_words(rule: Rule) -> str:
    """What following the rule changes, and what that figure rests on."""
    effect = rule.effect
    said = f"<b>{METRICS[effect.metric]}</b>"
    if effect.metric in ("speed", "memory"):
        said += f", {BASES[effect.basis]}"
    if effect.value is not None:
        ends = (
            f" ({effect.low:g} to {effect.high:g})"
            if effect.low is not None and effect.high is not None
            else ""
        )
        said += f": {effect.value:g}x{ends}"
    text = f"<p>{words(effect.text)}</p>" if effect.text else ""
    return f"{said}.{text}"


def edit_row(plan: EditPlan, rule: Rule) -> tuple[str, str, str]:
    """One planned edit: field, new value, and where it is made."""
    if plan.remove:
        value = "removed"
    elif plan.formula:
        value = say_formula(plan.formula, rule.let)
    else:
        value = f"<code>{escape(value_text(plan.value))}</code>"
    where = [FRAMEWORKS.get(name, name) for name in plan.frameworks]
    only = [", ".join(where)] if where else []
    if plan.when:
        only.append(f"where {say(plan.when, rule.let).yes}")
    return field_code(plan.field), value, "; ".join(only)


def edits_table(rule: Rule) -> str:
    """All planned edits; no column for what none of them has."""
    rows = [edit_row(plan, rule) for plan in rule.edits]
    columns = 3 if any(row[2] for row in rows) else 2
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("Field", "Becomes", "Only")[:columns]
    )
    cells = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row[:columns])}</tr>" for row in rows
    )
    return (
        '<div class="gg-scroll" tabindex="0" role="region" aria-label="Edits of this rule">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table></div>"
    )


def cure_part(rule: Rule) -> str:
    """The edits, how each framework writes them, and what to do by hand."""
    body = ""
    if rule.edits:
        body += (
            f"{edits_table(rule)}"
            '<p class="gg-sub">Fields have one name here for all frameworks; the patch writes the '
            "name that your file uses.</p>"
        )
    if rule.advice:
        parts = re.split(r"\{([^}]*)\}", rule.advice)
        said = "".join(
            f"<i>{say_formula(text, rule.let)}</i>" if place % 2 else words(text)
            for place, text in enumerate(parts)
        )
        body += f"<p><b>By hand:</b> {said}</p>"
    facts = [fact for name in rule.facts if (fact := find_fact(name))]
    table = spellings_table(facts, rule.frameworks)
    title = "The edit" if rule.edits else "What to do"
    return part(title, body) + (part("As each framework writes it", table) if table else "")


def example_card(title: str, example: Example, other: Example) -> str:
    """A workload on a card; what the other example has not is marked."""
    card = find_hardware(example.hardware).name
    jobs = count(example.gpus, "GPU") if example.gpus > 1 else "one GPU"
    if example.nodes > 1:
        jobs += f" on each of {example.nodes} nodes"
    known = set(_example_lines(other))
    lines = "".join(
        f"<li{'' if line in known else ' class=gg-differs'}>{line}</li>"
        for line in _example_lines(example)
    )
    framework = FRAMEWORKS.get(example.framework, example.framework)
    return (
        f"<div><h4>{title}</h4><p>{escape(framework)} on {escape(card)}, {jobs}</p>"
        f'<ul class="gg-example">{lines or "<li>nothing else is set</li>"}</ul></div>'
    )


def _example_lines(example: Example) -> list[str]:
    keys = example.keys
    lines = [
        f"<code>{escape(keys.get(name) or name.removeprefix('env:'))}: "
        f"{escape(value_text(value))}</code>"
        for name, value in example.fields.items()
    ]
    lines += [
        f"<code>{escape(name)}: {escape(value_text(value))}</code> by default"
        for name, value in example.defaults.items()
    ]
    lines += [f"{escape(name)} {escape(text)}" for name, text in example.versions.items()]
    if example.lengths:
        half, most, longest = example.lengths
        lines.append(
            f"samples: half under {half:,} tokens, 95% under {most:,}, at most {longest:,}"
        )
    lines += [
        f"peak memory {VARIANTS.get(name, escape(name))}: {share * 100:g}% of the card"
        for name, share in example.fit.items()
    ]
    if example.micro_batch_max is not None:
        lines.append(f"the largest micro batch that fits is {example.micro_batch_max}")
    if example.padding_efficiency is not None:
        lines.append(f"{example.padding_efficiency * 100:g}% of the tokens in a batch are real")
    return lines


def examples_part(rule: Rule) -> str:
    """A workload on which the rule fires and one on which it does not; both are tests."""
    fires, quiet = rule.fires_on, rule.not_on
    return part(
        "Examples",
        '<div class="gg-examples">'
        f"{example_card('It fires here', fires, quiet)}"
        f"{example_card('It stays silent here', quiet, fires)}"
        '</div><p class="gg-sub">Both are tests of this project. A bar marks what differs.</p>',
    )


def related_part(rule: Rule) -> str:
    """Facts below it, rules beside it."""
    body = part("Facts it rests on", facts_list(rule.facts))
    for title, names in (
        ("Needs", rule.requires),
        ("Cannot be followed together with", rule.excludes),
        ("Leaves nothing to do for", rule.supersedes),
    ):
        others = [other for name in names if (other := find_rule(name))]
        if others:
            body += part(title, rules_list(others))
    return body


def rule_card(rule: Rule) -> str:
    """The whole rule as one card."""
    chips = severity_mark(rule.severity)
    chips += semantics_chip(rule.semantics) if rule.edits else '<span class="gg-chip">advice</span>'
    asked = ", ".join(FRAMEWORKS.get(name, name) for name in rule.frameworks)
    caveats = "".join(f"<li>{words(caveat)}</li>" for caveat in rule.caveats)
    rows = (
        row("In a report", f"{plain_title(rule)}")
        + row("Asked of", escape(asked))
        + row("Fires when", fires_when(rule))
        + row("Severity", severity_words(rule))
        + (row("Semantics", meaning(rule.semantics)) if rule.edits else "")
        + row("Effect", effect_words(rule))
        + (row("But note", f"<ul>{caveats}</ul>") if caveats else "")
        + row("Check it by hand", words(rule.verify))
    )
    return (
        f'<article class="gg-card gg-entry" data-rule="{escape(rule.id)}">'
        f"{head(rule.headline, rule.id, chips + scope_chips(rule), entry_link('rule', rule.id))}"
        f'<p class="gg-claimed">{words(rule.claim)}</p><dl class="gg-told">{rows}</dl>'
        f"{cure_part(rule)}{examples_part(rule)}"
        f"{part('Sources', sources_list(rule.sources_read))}{related_part(rule)}</article>"
    )
