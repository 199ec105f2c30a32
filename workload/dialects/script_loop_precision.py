"""Which precision a training loop of a script's own computes in: autocast, Accelerator, scaler."""

from __future__ import annotations

from workload.dialects.script_loop import ACCELERATOR, AUTOCAST, ENGINE, SCALER, is_dtype
from workload.dialects.script_loop_parts import doubtful, label
from workload.dialects.script_reader import NOT_PLAIN, ScriptReader, is_null, plain
from workload.dialects.script_values import OPEN, Known, Slot, Thing, Unknown

_SWITCHES = ("bf16", "fp16")


def read_precision(reader: ScriptReader) -> None:
    """bf16 and fp16, where the script itself decides."""
    loop = reader.run.scene.loop
    accelerators, contexts = loop.of(ACCELERATOR), loop.of(AUTOCAST)
    if accelerators:
        _accelerator(reader, accelerators[0])
    elif contexts:
        _autocast(reader, contexts)
    elif not loop.of(ENGINE):
        for name in _SWITCHES:
            reader.derived(name, False, "no autocast in the script")
    for scaler in loop.of(SCALER)[:1]:
        on = reader.run.entries(scaler).get("enabled")
        if reader.value("bf16") is True and (on is None or plain(reader.run, on.value) is True):
            text = "a GradScaler is made although autocast is bfloat16, which needs none"
            reader.notice("note", text, scaler.node.lineno)


def _accelerator(reader: ScriptReader, part: Thing) -> None:
    """`Accelerator(mixed_precision=...)`; without it the accelerate config or launch line says."""
    entries = reader.run.entries(part)
    slot = entries.get("mixed_precision") or entries.get(OPEN)
    key = "Accelerator.mixed_precision"
    word = plain(reader.run, slot.value) if slot is not None else None
    if slot is None or is_null(slot):
        why = Unknown(part.node, "the accelerate config or launch line decides")
        for name in _SWITCHES:
            reader.hide(name, Slot(why, part.node), key)
        return
    if word is NOT_PLAIN or word not in ("no", "bf16", "fp16", "fp8"):
        for name in _SWITCHES:
            reader.unknown(name, slot, key)
            reader.placed.pop(name)
        return
    for name in _SWITCHES:
        reader.state_value(name, word == name, slot, key)
    if word == "fp8":
        reader.state_value("fp8", True, slot, key)


def _autocast(reader: ScriptReader, contexts: list[Thing]) -> None:
    """`torch.autocast`; several that do not agree leave it open."""
    found = {None if doubtful(reader, one) else _context(reader, one) for one in contexts}
    first = contexts[0]
    entries = reader.run.entries(first)
    slot = (
        entries.get("dtype") or entries.get("enabled") or Slot(Known(True, first.node), first.node)
    )
    key = f"{label(reader, first)}.{'dtype' if 'dtype' in entries else 'enabled'}"
    word = found.pop() if len(found) == 1 else None
    if word is None:
        why = Unknown(first.node, "several autocasts, or one whose dtype is computed")
        for name in _SWITCHES:
            reader.hide(name, slot._replace(value=why), key)
        return
    for name in _SWITCHES:
        reader.state_value(name, word == name, slot, key)


def _context(reader: ScriptReader, part: Thing) -> str | None:
    """bf16, fp16 or `no`; None where only a run would tell.

    torch/amp/autocast_mode.py: on a GPU the dtype is float16 unless it is given, on a CPU bfloat16.
    """
    entries = reader.run.entries(part)
    enabled, dtype = entries.get("enabled"), entries.get("dtype")
    if OPEN in entries:
        return None
    if enabled is not None:
        on = plain(reader.run, enabled.value)
        if on is NOT_PLAIN:
            return None
        if not on:
            return "no"
    if dtype is None or is_null(dtype):
        kind = entries.get("device_type")
        known = kind is None or plain(reader.run, kind.value) in ("cuda", NOT_PLAIN)
        return "fp16" if known else None
    if is_dtype(dtype.value, "bfloat16"):
        return "bf16"
    return "fp16" if is_dtype(dtype.value, "float16") or is_dtype(dtype.value, "half") else None
