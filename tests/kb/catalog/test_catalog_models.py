"""Models: totals of well-known checkpoints, names resolved or refused, blocks equal the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from kb.catalog.blocks import FOLDER
from kb.catalog.models import find_model, model_names
from kb.catalog.parameters import count_parameters

TOTALS = dict(
    line.split()
    for line in Path(__file__).with_name("published_totals.txt").read_text().splitlines()
    if not line.startswith("#")
)


@pytest.mark.parametrize("name", TOTALS)
def test_total(name: str) -> None:
    """Equal to the last parameter, or to 1 in 10,000 where a checkpoint holds small extras."""
    model = find_model(name)
    assert model is not None
    assert count_parameters(model).total == pytest.approx(int(TOTALS[name]), rel=1e-4)


ADVERTISED = {
    "keeeeenw/MicroLlama": 0.3,
    "mistralai/Mistral-Large-Instruct-2407": 123,
    "microsoft/phi-1": 1.3,
    "microsoft/Phi-3.5-mini-instruct": 3.8,
    "deepseek-ai/DeepSeek-V2": 236,
    "moonshotai/Kimi-K2-Instruct": 1040,
    "google-bert/bert-base-uncased": 0.11,
    "google-bert/bert-large-uncased": 0.335,
    "MiniMaxAI/MiniMax-M2.5": 230,
    "xai-org/grok-1": 314,
    "meta-llama/Llama-4-Scout-17B-16E": 109,
    "mistralai/Mixtral-8x22B-v0.1": 141,
    "bigscience/bloom-1b7": 1.72,
    "openlm-research/open_llama_3b": 3.43,
    "BSC-LT/salamandra-2b": 2.25,
    "tiiuae/Falcon3-1B-Base": 1.67,
    "stabilityai/stablelm-base-alpha-3b": 3.64,
    "CohereForAI/c4ai-command-r7b-12-2024": 8.0,
    "ibm/PowerLM-3b": 3.5,
    "ibm-granite/granite-3.0-1b-a400m-base": 1.3,
    "stabilityai/stablelm-base-alpha-7b": 7.87,
    "BSC-LT/salamandra-7b": 7.77,
    "Qwen/Qwen-7B": 7.72,
    "MPT-1b": 1.3,
    "MPT-3b": 2.65,
}
"""1e9 parameters as the maker's page says them, where the name says none or another number."""


@pytest.mark.parametrize("name", sorted(set(model_names()) - set(TOTALS)))
def test_total_is_what_the_maker_says(name: str) -> None:
    """Names round: to 10%, or to the half unit that a bare digit leaves open."""
    model = find_model(name)
    assert model is not None
    total = count_parameters(model).total / 1e9
    said = ADVERTISED.get(name)
    if said is None:
        found = re.search(r"(?:(\d+)x)?(\d+(?:[._]\d+)?)([bm])(?![a-z])", name.lower())
        assert found is not None, "state what the maker says in ADVERTISED"
        said = float(found[2].replace("_", ".")) * int(found[1] or 1)
        said /= 1000 if found[3] == "m" else 1
    assert total == pytest.approx(said, rel=0.1, abs=0.5 if said > 4 else 0)


def test_blocks_are_the_file() -> None:
    whole = yaml.safe_load((FOLDER / "models.yaml").read_text())
    sources = whole.pop("sources")
    assert list(whole) == list(model_names())
    seen: set[str] = set()
    for name, stated in whole.items():
        for spelling in (name, *stated.get("also", ())):
            assert spelling.lower() not in seen, f"{spelling} stands for two models"
            seen.add(spelling.lower())
        model = find_model(name)
        assert model is not None
        assert (model.name, model.matched) == (name, "id")
        assert (model.hidden, model.layers, model.vocab) == (
            stated["hidden"],
            stated["layers"],
            stated["vocab"],
        )
        assert stated["source"] in sources
        assert model.reference.title == sources[stated["source"]]["title"]


@pytest.mark.parametrize("name", model_names())
def test_entry_is_plausible(name: str) -> None:
    model = find_model(name)
    assert model is not None
    counts = count_parameters(model)
    assert 0 < counts.active <= counts.body < counts.total
    assert counts.attention < counts.body
    assert model.heads % model.kv_heads == 0
    assert bool(model.experts) == bool(model.top) == bool(model.expert)
    family = find_model(name.split("/")[-1])
    assert family is not None, "not found by its own name without the owner"
    assert count_parameters(family).body == counts.body


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("unsloth/Meta-Llama-3.1-8B-Instruct-bnb-4bit", "meta-llama/Llama-3.1-8B"),
        ("NousResearch/Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf"),
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B"),
        ("./models/qwen2.5-7b", "Qwen/Qwen2.5-7B"),
        ("checkpoints/google/gemma-2-9b", "google/gemma-2-9b"),
        ("saves/qwen3-4b/full/sft", "Qwen/Qwen3-4B"),
        ("torchtune.models.llama3_1.lora_llama3_1_8b", "meta-llama/Llama-3.1-8B"),
        ("torchtune.models.qwen2_5.qwen2_5_0_5b", "Qwen/Qwen2.5-0.5B"),
        ("llama31_70b.yaml", "meta-llama/Llama-3.1-70B"),
        ("philschmid/llama-3-1-8b-math-orca-spectrum-10k-ep1", "meta-llama/Llama-3.1-8B"),
        ("unsloth/mistral-7b-v0.3-bnb-4bit", "mistralai/Mistral-7B-v0.3"),
        ("TheBloke/Mixtral-8x7B-Instruct-v0.1-GPTQ", "mistralai/Mixtral-8x7B-v0.1"),
        ("nvidia/Qwen3-30B-A3B-NVFP4", "Qwen/Qwen3-30B-A3B"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "meta-llama/Llama-3.1-8B"),
        ("Qwen/Qwen2.5-Coder-32B-Instruct", "Qwen/Qwen2.5-32B"),
        ("gpt2", "openai-community/gpt2"),
    ],
)
def test_found(text: str, name: str) -> None:
    model = find_model(text)
    assert model is not None
    assert model.name == name


@pytest.mark.parametrize(
    "text",
    [
        "model",
        "/data/out",
        "",
        "llama",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen/Qwen3.5-27B",
        "Qwen/Qwen3-Next-80B-A3B",
        "alpindale/Llama-3.2-11B-Vision-Instruct",
        "meta-llama/Llama-Guard-3-8B",
        "tiiuae/falcon-mamba-7b",
        "deepcogito/cogito-v1-preview-qwen-14B",
        "google/gemma-3n-E2B-it",
        "some/Llama-3-8B-Upcycled-MoE",
        "mistralai/Mistral-Small-4-119B-2603",
        "facebook/opt-350m",
    ],
)
def test_never_guessed(text: str) -> None:
    assert find_model(text) is None


def test_a_match_by_name_says_so() -> None:
    derived, exact = find_model("me/llama-2-7b-support"), find_model("meta-llama/Llama-2-7b-hf")
    assert derived is not None
    assert exact is not None
    assert (derived.matched, exact.matched) == ("family and size", "id")
