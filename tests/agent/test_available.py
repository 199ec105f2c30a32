"""Which backends the form offers, and why not the others."""

from __future__ import annotations

from agent.available import offers
from agent.settings import ModelSettings


def test_without_a_key_only_the_rules_are_offered_and_each_other_says_why() -> None:
    rules, *others = offers(ModelSettings())
    assert (rules.name, rules.missing) == ("rules", "")
    assert {one.name: one.missing for one in others} == {
        "claude": "there is no key for Claude",
        "huggingface": "there is no token for Hugging Face",
        "openai": "there is no address of a model server",
    }


def test_a_key_offers_its_backend() -> None:
    found = offers(ModelSettings(openai_url="http://127.0.0.1:9", openai_model="m"))
    assert [one.name for one in found if not one.missing] == ["rules", "openai"]


def test_a_space_spends_nothing_on_strangers() -> None:
    found = offers(ModelSettings(claude_key="k", on_space=True))
    assert [one.name for one in found if not one.missing] == ["rules"]
    assert {one.name: one.missing for one in found[1:]} == {
        "claude": "this Space runs no model for its visitors",
        "huggingface": "there is no token for Hugging Face",  # who signs in brings one
        "openai": "this Space runs no model for its visitors",
    }
