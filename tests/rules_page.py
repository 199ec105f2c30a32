"""Writes docs/rules.md from the knowledge base: `python -m tests.rules_page` renews it."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from kb.rule import EditPlan, Rule
from kb.rulebook import load_rules

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "rules.md"
REVIEW = ROOT / "tests" / "kb" / "reviewed.md"
HEAD = """# Rules

Every rule of the knowledge base: when it fires, what it changes, what that does to training, and
where it comes from. Written by `python -m tests.rules_page`; edit `kb/rules/`, not this page.

Semantics: **neutral** gives the same maths up to the order of sums, **numerics** another kernel or
number format, **dynamics** changes what is learned and is offered, never applied by itself.
"""
VARIANTS = {
    "as_written": "as written it",
    "no_checkpointing": "without checkpointing it",
    "unquantized": "without quantisation it",
    "unquantized_no_checkpointing": "without quantisation and checkpointing it",
    "unfused_optimizer": "with a plain 32-bit optimizer it",
    "double_micro_batch": "with twice the micro batch it",
}
WORDS: tuple[tuple[str, str], ...] = (
    (r"profile\.fit\.(\w+)\.share", r"<\1> may fill of the card, as a share,"),
    (r"profile\.fit\.(\w+)\.peak_gb", r"<\1> needs in GB"),
    (r"profile\.padding_efficiency", "the share of real tokens in a batch"),
    (r"profile\.micro_batch_max", "the largest micro batch that fits"),
    (r"hardware\.memory_gb", "the card's memory in GB"),
    (r"not hardware\.bf16", "the card has no bf16"),
    (r"hardware\.bf16", "the card has bf16"),
    (r"hardware\.(\w+)", r"the card's \1"),
    (r"lengths\.(\w+)", r"the data's \1 length"),
    (r"not surely\(stated\((\w+)\)", r"not surely(\1 stands in the file"),
    (r"not mentioned\((\w+)\)", r"\1 is not mentioned"),
    (r"(?:stated|mentioned)\(([\w.]+)\)", r"\1 stands in the file"),
    (r"known\((\w+)\)", r"\1 is known"),
    (r"written\((\w+), \"([^\"]+)\"\)", r"\1 is written as `\2`"),
    (r"not sets_variable\(\"([^\"]+)\"\)", r"`\1` is not set"),
    (r"sets_variable\(\"([^\"]+)\"\)", r"`\1` is set"),
    (r"starts_with\((?:lower\()?([\w.' ]+?)\)?, \"([^\"]+)\"\)", r'\1 starts with "\2"'),
    (r"contains\((?:lower\()?([\w.]+)\)?, \"([^\"]+)\"\)", r'\1 contains "\2"'),
    (r"lower\(([\w.]+)\)", r"\1"),
    (r"version\((\w+)\)", r"the version of \1"),
    (r"otherwise\(([\w.' ]+), ([\w.' ]+)\)", r"\1 (or \2)"),
    (r"not surely\(", "not ("),
    (r"surely\(", "("),
    (r"\benv\.([A-Z]\w*)", r"`\1`"),
    (r" not in \[([^\]]*)\]", r" is none of \1"),
    (r" in \[([^\]]*)\]", r" is one of \1"),
    (r" == ", " is "),
    (r" != ", " is not "),
    (r" <= ", " is at most "),
    (r" >= ", " is at least "),
    (r" < ", " is below "),
    (r" > ", " is above "),
    (r"\bnull\b", "unset"),
    (r"\btrue\b", "on"),
    (r"\bfalse\b", "off"),
    (r"`\"1\"`|\"1\"", "1"),
)
"""Pieces of a condition -> words, applied in this order."""


def in_words(condition: str) -> str:
    """A condition as a person would say it; names of fields stay as they are."""
    text = " ".join(condition.split())
    for pattern, words in WORDS:
        text = re.sub(pattern, words, text)
    for variant, words in VARIANTS.items():
        text = text.replace(f"<{variant}> may", f"what {words} may").replace(
            f"<{variant}> needs", f"what {words} needs"
        )
    return text.replace('"', "").replace("( ", "(")


def scope(rule: Rule) -> str:
    """Whom a rule is asked of."""
    makers = {"amd": "AMD", "nvidia": "NVIDIA", "cpu": "CPU"}
    parts = [", ".join(rule.frameworks)]
    if rule.archs:
        parts.append(", ".join(rule.archs))
    elif rule.vendors:
        parts.append(" and ".join(makers[vendor] for vendor in rule.vendors) + " cards")
    if rule.multi_gpu:
        parts.append("several GPUs")
    parts += [f"{package} {wanted}" for package, wanted in rule.versions.items()]
    return "; ".join(parts)


def edit_in_words(plan: EditPlan) -> str:
    """One planned edit."""
    if plan.remove:
        done = f"remove `{plan.field}`"
    elif plan.formula:
        done = f"`{plan.field}` becomes {plan.formula.replace('$', '')}"
    else:
        value = {None: "none", True: "true", False: "false"}.get(plan.value, plan.value)  # type: ignore[arg-type]
        done = f"`{plan.field}` becomes {value}"
    only = f" ({', '.join(plan.frameworks)})" if plan.frameworks else ""
    when = f", where {in_words(plan.when.replace('$', ''))}" if plan.when else ""
    return done + only + when


def plain(sentence: str) -> str:
    """A sentence whose `{expression}` parts are shown as their names."""
    return re.sub(r"\{(?:\w+\()?\$?([^}]*?)\)?\}", r"<\1>", sentence)


def section(rule: Rule) -> str:
    """One rule as Markdown."""
    condition = in_words(rule.when.replace("$", ""))
    if rule.applies != "true":
        condition = f"{condition}; provided {in_words(rule.applies.replace('$', ''))}"
    edits = "; ".join(edit_in_words(plan) for plan in rule.edits)
    severities = "".join(
        f", {case.severity} where {in_words(case.when.replace('$', ''))}"
        for case in rule.severity_cases
    )
    sources = "; ".join(f"{source.title} ({source.as_of})" for source in rule.sources_read)
    lines = [
        f"### {rule.id}",
        "",
        f"**{plain(rule.title)}.** {rule.claim}",
        "",
        f"- For: {scope(rule)}",
        f"- Fires when {condition}",
        f"- Edit: {edits}" if edits else "- Edit: none, advice only",
        *([f"- By hand: {plain(rule.advice)}"] if rule.advice else []),
        f"- Severity: {rule.severity}{severities}; semantics: {rule.semantics}",
        f"- Check: {rule.verify}",
        f"- Sources: {sources}",
    ]
    return "\n".join(lines)


def render() -> str:
    """The whole page."""
    rules = load_rules()
    parts = [HEAD, f"{len(rules)} rules.", REVIEW.read_text().strip()]
    for topic, group in groupby(rules, key=lambda rule: rule.id.partition(".")[0]):
        parts += [f"## {topic.capitalize()}", *map(section, group)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(render())


if __name__ == "__main__":
    main()
