"""A rule at fault is refused at load, and the message names the file, the rule and the fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kb.kept import compile_copies, read_content
from kb.rulebook import RULES, RuleError, load_rules, load_sources, read_rules

GOOD = {
    "id": "topic.first",
    "headline": "Do it",
    "title": "It is not done",
    "passed": "It is done",
    "claim": "It helps. It costs nothing.",
    "facts": ["precision.enable_bf16"],
    "frameworks": ["trl"],
    "when": "tf32 == true",
    "severity": "low",
    "semantics": "neutral",
    "edits": [{"field": "tf32", "value": False}],
    "effect": {"metric": "none", "basis": "none"},
    "verify": "Look.",
    "sources": ["transformers.training_args"],
    "fires_on": {"framework": "trl", "hardware": "mi300x", "fields": {"tf32": True}},
    "not_on": {"framework": "trl", "hardware": "mi300x"},
}


def write(folder: Path, *rules: dict[str, object], name: str = "topic.yaml") -> Path:
    (folder / name).write_text(yaml.safe_dump(list(rules)))
    return folder


def test_a_whole_rule_is_read(tmp_path: Path) -> None:
    (rule,) = read_rules(write(tmp_path, GOOD))
    assert rule.id == "topic.first"
    assert rule.sources_read[0].title.startswith("transformers")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"when": "tf33 == true"}, "no field or figure is called 'tf33' (column 1"),
        ({"when": "tf32 =~ true"}, "means nothing here (column 6"),
        ({"applies": "regex(model_id)"}, "no function is called 'regex'"),
        ({"frameworks": ["axolotel"]}, "no framework is called axolotel"),
        ({"frameworks": []}, "frameworks"),
        ({"severity": "huge"}, "severity"),
        ({"semantics": "training_dynamics"}, "semantics"),
        ({"edits": [{"field": "tf23", "value": False}]}, "'tf23': no field is called that"),
        ({"edits": [{"field": "tf32", "value": 3}]}, "its value has the wrong type"),
        ({"edits": [{"field": "tf32", "value": True, "remove": True}]}, "give one of"),
        ({"edits": [{"field": "compute_dtype", "value": "bf32"}]}, "'bf32' is none of"),
        ({"edits": [{"field": "tf32", "formula": "$nothing"}]}, "$nothing is not given"),
        ({"edits": []}, "needs edits or advice"),
        ({"title": "{tf33}"}, "no field or figure"),
        ({"claim": "One. Two. Three.", "why": "Because."}, "claim is one or two sentences"),
        ({"claim": "", "why": "Because."}, "claim is one or two sentences"),
        ({"facts": []}, "facts"),
        ({"sources": ["nowhere"]}, "no source is called 'nowhere'"),
        ({"versions": {"trl": "newer than 1"}}, "version range of trl"),
        ({"evidence": ["tf23"]}, "evidence 'tf23'"),
        ({"supersedes": ["topic.second"]}, "names the rule 'topic.second'"),
        ({"effect": {"metric": "speed", "basis": "derived", "low": 1.1}}, "only a published"),
        ({"effect": {"metric": "speed", "basis": "published", "value": 1.1}}, "quotes its source"),
        ({"detect": {}}, "detect"),
        ({"id": "other.first"}, "belongs into other.yaml"),
        ({"not_on": {"framework": "trl"}}, "not_on.hardware"),
    ],
    ids=str,
)
def test_a_fault_names_file_and_rule(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    with pytest.raises(RuleError, match=re.escape(reason)) as caught:
        read_rules(write(tmp_path, {**GOOD, **change}))
    assert caught.value.file in ("topic.yaml", "other.yaml")
    assert caught.value.entry == change.get("id", "topic.first")


def test_two_rules_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="a second rule has this id"):
        read_rules(write(tmp_path, GOOD, GOOD))


def test_broken_yaml_names_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "topic.yaml").write_text("- id: [\n")
    with pytest.raises(RuleError, match=r"topic.yaml: the file: .*line 2, column 1"):
        read_rules(tmp_path)


def test_sources_are_whole() -> None:
    for name, source in load_sources().items():
        assert re.match(r"https://|pypi:[\w.-]+==|github:[\w.-]+/[\w.-]+ ", source.url), name
        assert source.title
        assert source.as_of


def test_every_topic_file_is_read() -> None:
    topics = {path.stem for path in RULES.glob("*.yaml")}
    assert topics == {rule.id.partition(".")[0] for rule in load_rules()}


def test_no_key_is_given_twice() -> None:
    def check(node: yaml.Node, path: Path) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(set(keys)) == len(keys), f"{path.name}, line {node.start_mark.line + 1}"
            for _, value in node.value:
                check(value, path)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                check(item, path)

    for path in sorted(RULES.parent.glob("**/*.yaml")):
        check(yaml.compose(path.read_text(), Loader=yaml.CSafeLoader), path)


def test_the_compiled_copies_are_fresh() -> None:
    """`python -m kb.kept` writes them anew after a change of rules, facts or sources."""
    for copy, text in compile_copies().items():
        assert copy.read_text() == text, f"{copy.name} is out of date: python -m kb.kept"


def test_everything_compiles_whatever_the_copies_say() -> None:
    for rule in load_rules():
        rule.compile_all()


def test_a_changed_file_is_read_and_checked_again(tmp_path: Path) -> None:
    changed = tmp_path / "names.yaml"
    changed.write_bytes((RULES / "names.yaml").read_bytes() + b"\n")
    assert not read_content(changed).checked
    assert read_content(RULES / "names.yaml").checked
