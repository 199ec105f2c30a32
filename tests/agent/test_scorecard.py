"""The scorecard tells a good backend from one that overlooks, invents or stops early."""

from __future__ import annotations

import copy

import pytest

from benchmarks.scorecard import Transcript, score, summary
from tests.agent.labelled import FOLLOWS, Labelled, labelled_workloads


@pytest.fixture(scope="module")
def cases() -> list[Labelled]:
    return labelled_workloads()


@pytest.fixture(scope="module")
def recorded(cases: list[Labelled]) -> Transcript:
    """The turns of the rules on the first workload; they name f_1."""
    return score(cases[0], "rules").transcript


def test_there_are_thirty_workloads_with_and_some_without_a_fault(cases) -> None:
    assert sum(case.rule is not None for case in cases) >= 30
    assert sum(case.rule is None for case in cases) >= 12
    assert len({case.name for case in cases}) == len(cases)


def test_the_rules_act_on_what_is_wrong_and_leave_the_rest(cases) -> None:
    few = [*cases[::6], *[case for case in cases if case.rule is None][:3]]
    found = summary([score(case, "rules") for case in few])
    assert found["recall"] == 1.0
    assert found["precision"] == 1.0
    assert found["label_share"] >= 0.6
    assert found["invented_ids"] == 0
    assert found["tiers"]["0"] == len(few)


def test_what_is_right_beside_a_label_is_named_and_everything_else_is_false(cases) -> None:
    from kb.rulebook import find_rule

    names = {case.name for case in cases}
    assert names >= FOLLOWS.keys()
    assert all(find_rule(rule) and why for one in FOLLOWS.values() for rule, why in one.items())
    case = next(case for case in cases if case.follows)
    right = score(case, "rules")
    assert right.beside == right.follows.keys()
    strict = summary([right._replace(follows={})])
    assert strict["false"] == len(case.follows)
    assert strict["precision"] == strict["label_share"] < summary([right])["precision"] == 1.0


def test_a_recorded_audit_is_played_again_without_its_model(cases, recorded) -> None:
    played = score(cases[0], "claude", recorded)
    assert played.hit
    assert played.tier == 0
    assert played.transcript == recorded


def test_overlooking_inventing_and_stopping_show(cases, recorded) -> None:
    overlooks, invents, stops = (copy.deepcopy(recorded) for _ in range(3))
    for turn in overlooks:
        for call in turn["calls"]:
            if call["tool"] == "propose_patch":
                call["arguments"]["finding_ids"] = []
    invents.insert(
        3,
        {
            "text": "",
            "tokens": ["some-model", 900, 40],
            "calls": [
                {
                    "tool": "propose_patch",
                    "arguments": {"workload_id": "wl_1", "finding_ids": ["f_99"]},
                }
            ],
        },
    )
    del stops[2:]
    blind, inventive, early = (
        score(cases[0], "claude", turns) for turns in (overlooks, invents, stops)
    )
    assert not blind.hit
    assert inventive.invented == 1
    assert inventive.tokens == 940
    assert early.tier == 3
    assert summary([blind, inventive])["recall"] == 0.5
