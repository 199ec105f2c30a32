"""Reads how a user's samples become tokens: lengths, padding, packing."""

from __future__ import annotations

import math
from typing import NamedTuple

from audit.records.errors import MissingFacts
from audit.records.workload import Workload
from kb.catalog.models import Model
from runner.estimator.lengths import ASSUMED, fit_spread, pad_spread
from runner.estimator.limits import count_of
from runner.estimator.workload_recipe import Notes, switched_on

PACKED = 0.98
"""Real share of packed rows: what bin packing leaves at the end of a row (assumed)."""
GROUPED = 1.05
"""Padding left when samples of like length share a batch (assumed)."""


class Samples(NamedTuple):
    """Tokens per sample (or per packed row)."""

    processed: float
    longest: float
    efficiency: float
    reach: float
    """Tokens that attention covers; 0: the whole sequence."""
    packed: bool
    variable: bool


def read_samples(workload: Workload, micro_batch: int, model: Model, notes: Notes) -> Samples:
    """What one sample of a micro-batch costs."""
    lengths = workload.lengths
    if lengths is None:
        lengths = ASSUMED
        notes.add(f"{ASSUMED.source}, longest {ASSUMED.max}")
    guessed = lengths.origin == "assumed"
    stated = count_of(workload, "max_seq_len") or 0
    cut = float(min(lengths.max, stated or model.max or lengths.max))
    packing = switched_on(workload, "packing") or workload.value("task") == "pretrain"
    one = pad_spread(fit_spread(lengths), 1, cut)
    apart = one.square / one.real
    if packing:
        if not stated:
            message = "packing needs a row length, and max_seq_len is not known"
            raise MissingFacts(message, missing=("max_seq_len",), remedy="State max_seq_len.")
        isolated = workload.framework != "llamafactory" or switched_on(workload, "padding_free")
        reach = min(apart, stated) if isolated else 0.0
        return Samples(stated, stated, PACKED, reach, packed=True, variable=False)
    if switched_on(workload, "padding_free"):
        deviation = math.sqrt(max(0.0, one.square - one.real**2))
        longest = min(cut, one.real + 3 * deviation / math.sqrt(micro_batch))
        return Samples(one.real, longest, 1.0, apart, packed=True, variable=guessed)
    if switched_on(workload, "pad_to_max_length"):
        full = float(stated or cut)
        return Samples(full, full, one.real / full, 0.0, packed=False, variable=False)
    batch = pad_spread(fit_spread(lengths), micro_batch, cut)
    processed = batch.processed
    if switched_on(workload, "group_by_length"):
        processed = min(processed, GROUPED * one.real)
    return Samples(processed, cut, one.real / processed, 0.0, packed=False, variable=guessed)
