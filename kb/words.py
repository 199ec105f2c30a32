"""Cuts questions and entries into comparable words: identifiers, stems, words that mean alike."""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(r"[a-z]+[a-z0-9]*(?:[_.-][a-z0-9]+)*|\d+(?:\.\d+)*[a-z]*")
_PART = re.compile(r"[a-z]+[0-9]*[a-z]*|\d+(?:\.\d+)*")
_IDLE = """
a about all am an and any are as at be been both but by can could did do does doing done for
from get gets getting give given go good had has have having he her how i if in into is it its
just like make makes me more most much my need needs no not of off on one or other our out over
own please really right same should so some such than that the their them then there these they
thing this those through to too under up use used using very want was way we well were what when
where whether which while who why will with would yes you your still actually best better happen
happens mean means safe tell true false set
"""
_STOP = frozenset(_IDLE.split())
_ENDINGS = (
    ("isations", "is"), ("isation", "is"), ("izations", "is"), ("ization", "is"),
    ("ising", "is"), ("izing", "is"), ("ised", "is"), ("ized", "is"), ("izes", "is"),
    ("ises", "is"), ("izer", "is"), ("iser", "is"), ("izers", "is"), ("ize", "is"), ("ise", "is"),
    ("ations", "at"), ("ation", "at"), ("ating", "at"), ("ated", "at"), ("ates", "at"),
    ("ate", "at"), ("ingly", ""), ("edly", ""), ("ings", ""), ("ing", ""), ("ies", "y"),
    ("ied", "y"), ("ers", ""), ("er", ""), ("ed", ""), ("es", ""), ("ly", ""), ("s", ""),
    ("e", ""),
)  # fmt: skip
_DOUBLING = frozenset({"ing", "ings", "ed", "er", "ers"})
"""Endings before which a consonant is doubled: logging, packed needs none."""
_MIN_STEM = 3

_ALIKE = """
crash error fail failure refuse raise stop abort exception valueerror typeerror break broken die
slow speed fast quick performance throughput slowdown crawl tokens/s overhead efficient
memory vram oom hbm fit
amd rocm instinct hip radeon
nvidia cuda
gpu card device accelerator
deprecate remove rename obsolete outdate old gone migrate stale legacy replace
support work run compatible available unsupported install
nan diverge inf overflow unstable collapse explode
utilisation usage idle busy occupancy
room spare headroom free unused left
wandb tensorboard mlflow report_to integration tracker
tutorial guide example docs blog recipe
evaluate eval validation
save checkpoint resume
load loader dataloader worker input pipeline
variable export environment env
collective allreduce all-reduce communicate rccl nccl bandwidth network
distribute multi-gpu ddp parallel ranks several multiple scale
node cluster multi-node
tokenis tokenize preprocess
pack concatenate
pad padding short
length long context sequence truncate cut
contaminate mix leak isolate mask separate
quantis 4-bit 8-bit 4bit 8bit bits qlora nf4 int8 bitsandbytes bnb
adapter lora peft
stop eos end endless forever
fp8 float8
moe expert mixture
compile inductor torch.compile
gemm matmul matrix hipblaslt blas
kernel attention flash
log print report
recompute checkpointing activation
dtype precision float bf16 fp16 fp32
default automatic
container docker image
host bios boot grub system
offload cpu host
wrong incorrect bad bug quality
converge learn loss
tune tuning autotune
benchmark measure compare profile
"""
"""One group a line: words that a question may use for each other. General terms only."""

_CARDS = {
    "mi300x": "gfx942", "mi300a": "gfx942", "mi300": "gfx942", "mi325x": "gfx942",
    "mi325": "gfx942", "mi350x": "gfx950", "mi350": "gfx950", "mi355x": "gfx950",
    "mi355": "gfx950", "mi250x": "gfx90a", "mi250": "gfx90a", "mi210": "gfx90a",
    "mi200": "gfx90a", "7900": "gfx1100", "9070": "gfx1201", "rdna3": "gfx1100",
    "rdna4": "gfx1201", "h100": "nvidia", "h200": "nvidia", "a100": "nvidia", "b200": "nvidia",
    "4090": "nvidia", "3090": "nvidia", "5090": "nvidia", "l40s": "nvidia", "v100": "nvidia",
}  # fmt: skip


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A word without its ending: packing and packed are pack, quantised and quantized one."""
    if len(word) <= _MIN_STEM or any(sign in word for sign in "_.-") or word[-1].isdigit():
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM:
            root = word[: -len(ending)] + instead
            doubled = ending in _DOUBLING and len(root) > _MIN_STEM and root[-1] == root[-2]
            return root[:-1] if doubled and root[-1] not in "lsz" else root
    return word


def words_of(text: str) -> list[str]:
    """The words of a text as stems; an identifier counts whole and by its parts."""
    found: list[str] = []
    for token in _TOKEN.findall(text.lower()):
        parts = _PART.findall(token)
        if len(parts) > 1:
            found.append(token)
        found += [stem(part) for part in parts if part not in _STOP]
    return found


def _groups() -> dict[str, frozenset[str]]:
    alike: dict[str, set[str]] = {}
    for line in _ALIKE.strip().splitlines():
        group = {word for part in line.split() for word in words_of(part)[:1]}
        for word in group:
            alike.setdefault(word, set()).update(group)
    return {word: frozenset(group - {word}) for word, group in alike.items()}


ALIKE = _groups()


def related(word: str) -> frozenset[str]:
    """Stems that may stand for `word`, without itself."""
    card = _CARDS.get(word)
    if card is None:
        return ALIKE.get(word, frozenset())
    vendor = {"nvidia"} if card == "nvidia" else {card, "amd", "rocm", "instinct"}
    return frozenset(vendor)
