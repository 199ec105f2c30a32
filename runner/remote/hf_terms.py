"""What a job is given: seconds to live, its price, and the machine as translations see it."""

from __future__ import annotations

import math
from typing import NamedTuple

from audit.records.spec import Spec
from kb.catalog.hardware import Hardware
from runner.protocol import Quote
from runner.remote.flavors import Flavor
from runner.remote.hf_access import TORCH
from runner.remote.payload import PINS
from runner.translation.place import Place

SETUP_SECONDS = 600.0
"""For the image, missing packages and a cold torch: our allowance, it is billed as used."""
LIMIT_SECONDS = 300.0
"""Beyond the budget of timed rounds: builds, warm-up, compilation."""
MINUTE = 60.0
"""The service bills per minute while a job starts or runs (its pricing page, 2026-11)."""
VISIBLE = 0.93
"""Share of a card's memory that torch sees on a rented machine: our assumption, sizes only."""
SPARE = 0.6
REACHED = 0.7
"""Of the maker's peak, where nobody states what matrix products reach: our assumption, as above."""


class Times(NamedTuple):
    """Seconds, each inside the one before."""

    job: float
    """After which the service kills the job."""
    worker: float
    rounds: float


def times_of(spec: Spec) -> Times:
    """The owner's time limit where one was agreed, else what the budget of rounds needs."""
    agreed = spec.terms.timeout_s if spec.terms else None
    job = math.ceil(agreed or spec.stop.seconds + LIMIT_SECONDS + SETUP_SECONDS)
    worker = max(job - SETUP_SECONDS, 0.4 * job)
    return Times(job, worker, min(spec.stop.seconds, 0.8 * worker))


def quote_of(spec: Spec, flavor: Flavor) -> Quote:
    """The price of the whole time limit in started minutes; usd None: no price is known."""
    seconds = times_of(spec).job
    price = flavor.usd_per_s
    usd = None if price is None else price * math.ceil(seconds / MINUTE) * MINUTE
    rate = "no price is stated" if price is None else f"${price * 3600:.2f} an hour"
    note = (
        f"at most, on {flavor.name} of Hugging Face Jobs ({rate}): the whole time limit, billed "
        "per minute while starting or running; not run against the live service by us"
    )
    return Quote(seconds=seconds, usd=usd, note=note)


def place_on(card: Hardware, flavor: Flavor, compiler: bool) -> Place:
    """The machine before anybody has seen it: what the catalogue and the service state."""
    packages = {"torch": TORCH} | {name: pin.split("==")[1] for name, pin in PINS.items()}
    if card.vendor == "cpu":
        memory = SPARE * (flavor.memory_gb or 8.0)
        return Place(kind="cpu", memory_gb=memory, packages=packages, compiler=compiler)
    rates: dict[str, float] = {}
    for dtype, peak in card.peak_tflops.items():
        rate = card.achievable_tflops.get(dtype) or (peak or 0.0) * REACHED
        if rate:
            rates[dtype] = rate
    half = rates.get("bf16") or rates.get("fp16") or 10.0
    rates.setdefault("fp32", half / 4)
    rates.setdefault("bf16", rates["fp32"])  # cards before Ampere have none
    return Place(
        kind="rocm" if card.vendor == "amd" else "cuda",
        memory_gb=VISIBLE * (card.memory_gb or 16.0),
        rates=rates,
        packages=packages,
        compiler=compiler,
    )
