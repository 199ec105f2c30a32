"""Questions in words find what the knowledge base holds, the same way every time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kb.factbook import load_facts
from kb.search import FACTS_PER_HIT, search
from kb.words import related, stem, words_of

FOUND = {
    "Does gradient checkpointing cost speed?": "memory.disable_gc_when_fits",
    "SFTTrainer got an unexpected keyword argument max_seq_length": "correctness.trl_renamed_args",
    "HSA_OVERRIDE_GFX_VERSION on MI300X?": "env.hsa_override_gfx",
    "my model never stops generating": "correctness.pad_is_eos",
    "GPUs idle with device_map auto": "parallelism.no_device_map_for_ddp",
    "tokens per second too low, micro batch 1": "batching.prefer_larger_micro_batch",
    "Is Liger CUDA-only?": "kernels.liger_rocm_supported",
    "MI250 shows 8 GPUs but I have 4 cards": "parallelism.mi250_two_gcds",
}


def facts_of(question: str, k: int = 5) -> set[str]:
    return {fact for hit in search(question, k) for fact in hit.facts[:FACTS_PER_HIT]}


@pytest.mark.parametrize(("question", "fact"), FOUND.items())
def test_finds(question: str, fact: str) -> None:
    assert fact in facts_of(question)


def test_every_title_finds_its_own_fact() -> None:
    missed = [fact.id for fact in load_facts() if fact.id not in facts_of(fact.title)]
    assert missed == []


def test_results_are_ranked_whole_and_never_more_than_asked() -> None:
    for k in (1, 3, 20):
        hits = search("packing attention mask flash", k)
        assert len(hits) == k
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert len({hit.id for hit in hits}) == k
        for hit in hits:
            assert hit.facts
            assert hit.claim
            assert hit.title
            assert hit.sources


def test_no_result_repeats_what_a_better_one_lists() -> None:
    told: set[str] = set()
    for hit in search("tf32 crash on MI300X", 10):
        assert not set(hit.facts[:FACTS_PER_HIT]) <= told
        told |= set(hit.facts[:FACTS_PER_HIT])


@pytest.mark.parametrize("question", ["", "   ", "?!", "the of and", "\x00", "qwxyz", "a" * 5000])
def test_a_question_about_nothing_gets_no_answer(question: str) -> None:
    assert search(question) == ()


def test_the_answer_does_not_depend_on_the_process() -> None:
    code = (
        "import json; from kb.search import search;"
        "print(json.dumps([[h.id, h.score] for h in search('slow flash attention AMD', 8)]))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    assert len(json.loads(runs.pop())) == 8


def test_words() -> None:
    assert words_of("TORCH_BLAS_PREFER_HIPBLASLT=1") == [
        "torch_blas_prefer_hipblaslt", "torch", "bla", "pref", "hipblaslt", "1",
    ]  # fmt: skip
    assert stem("packing") == stem("packed") == stem("packs") == stem("pack")
    assert stem("quantised") == stem("quantized") == stem("quantization")
    assert stem("logging") == "log"
    assert "gfx942" in related("mi300x")
    assert "rocm" in related("amd")


@pytest.mark.shared
def test_the_shown_questions(shared: Path) -> None:
    queries = json.loads((shared / "reference" / "kb_facts.json").read_text())["queries"]
    hit = [bool(facts_of(query["query"]) & set(query["answers"])) for query in queries]
    assert sum(hit) / len(hit) >= 0.9
