"""What a script does to its model: loading, quantisation, adapters, checkpointing, compiling."""

from __future__ import annotations

import ast
from collections.abc import Callable

from workload.dialects.script_loop import COMPILE, make_part
from workload.dialects.script_names import Named
from workload.dialects.script_scene import Arguments, Scene
from workload.dialects.script_values import OPEN, Items, Known, Slot, Symbol, Thing, Unknown, Value

MODEL_NAME = "model_name"
"""Entry of a model that holds the hub id or path it was loaded from."""
ADAPTER = "adapter"
"""Entry of a model that holds the PEFT config wrapped around it."""
CHECKPOINTING = "gradient_checkpointing_enable"
KBIT = "prepare_model_for_kbit_training"
COMPILED = "torch.compile"
CAST = "cast"
SETTINGS = "gradient_checkpointing_kwargs"
CONFIG = "config"
SET_BY_CALLS = frozenset({ADAPTER, CHECKPOINTING, KBIT, COMPILED, CAST, SETTINGS, CONFIG})
"""Entries of a model that calls set on it: on or off, or the dtype it was cast to."""

LOADING = frozenset({"from_pretrained", "get_peft_model", "from_config"})
_SAME_MODEL = frozenset({"to", "cuda", "cpu", "train", "eval", "requires_grad_", "merge_adapter"})
_CASTS = {"half": "torch.float16", "bfloat16": "torch.bfloat16", "float": "torch.float32"}


def loaded(scene: Scene, owner: Named, method: str, arguments: Arguments, node: ast.Call) -> Value:
    """`from_pretrained` of a model or tokenizer class, and Unsloth's `get_peft_model`."""
    if method == "get_peft_model":
        return _wrap_unsloth(scene, arguments, node)
    if owner.kind == "tokenizer":
        entries = {**arguments.named}
        return scene.memory.new_thing("tokenizer", owner.name, node, entries.items())
    if owner.name.endswith("PeftModel") or owner.name.startswith("PeftModel"):
        return _wrap_trained_adapter(scene, arguments, node)
    if owner.kind not in ("model", "unsloth"):
        return Unknown(node, "what a call returns")
    model = _load(scene, owner, arguments, node)
    if owner.kind == "unsloth":
        tokenizer = scene.memory.new_thing("tokenizer", owner.name, node)
        return Items((model, tokenizer), node)
    return model


def _load(scene: Scene, owner: Named, arguments: Arguments, node: ast.Call) -> Thing:
    names = ("pretrained_model_name_or_path", MODEL_NAME, "model_id", "model_name_or_path")
    source = arguments.first(*names)
    entries = dict(arguments.named)
    if source is not None and isinstance(source.value, Thing) and source.value.kind == "model":
        return source.value
    if source is not None:
        entries[MODEL_NAME] = source
    if arguments.open is not None:
        entries[OPEN] = Slot(arguments.open, None)
    model = _new_model(scene, owner.name, node, entries)
    scene.note(scene.models, model)
    return model


def _new_model(scene: Scene, name: str, node: ast.Call, entries: dict[str, Slot]) -> Thing:
    """A model with its own config, on which the script may set `use_cache`."""
    part = scene.memory.new_thing("part", "config", node)
    entries = {**entries, CONFIG: Slot(part, None)}
    return scene.memory.new_thing("model", name, node, entries.items())


def model_method(
    scene: Scene, model: Thing, name: str, arguments: Arguments, node: ast.Call
) -> Value:
    """A method call on a model; most give the model back."""
    memory, statement = scene.memory, scene.statement
    if name == "gradient_checkpointing_enable":
        enable_checkpointing(scene, model, arguments, node)
    elif name == "gradient_checkpointing_disable":
        memory.put_in(model, CHECKPOINTING, Slot(Known(False, node), None, statement))
    elif name == "add_adapter" and arguments.positional:
        memory.put_in(model, ADAPTER, arguments.positional[0])
    elif name == "compile":
        memory.put_in(model, COMPILED, Slot(Known(True, node), None, statement))
    elif name in _CASTS:
        symbol = Symbol(_CASTS[name], node)
        memory.put_in(model, CAST, Slot(symbol, None, statement))
        return model
    elif name in _SAME_MODEL:
        for slot in (*arguments.positional, *arguments.named.values()):
            if isinstance(slot.value, Symbol) and slot.value.name.startswith("torch."):
                memory.put_in(model, CAST, slot)
        return model
    return Unknown(node, "what a call returns")


def enable_checkpointing(scene: Scene, model: Thing, arguments: Arguments, node: ast.Call) -> None:
    """`model.gradient_checkpointing_enable(...)`, kept on the model."""
    memory = scene.memory
    memory.put_in(model, CHECKPOINTING, Slot(Known(True, node), None, scene.statement))
    settings = arguments.first(SETTINGS)
    if settings is not None:
        memory.put_in(model, SETTINGS, settings)


def _get_peft_model(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`peft.get_peft_model(model, config)` gives the model with an adapter around it."""
    model = _model_of(scene, arguments, node)
    config = arguments.positional[1] if len(arguments.positional) > 1 else None
    config = config or arguments.named.get("peft_config")
    unknown = Slot(Unknown(node, "the adapter is not shown"), None)
    scene.memory.put_in(model, ADAPTER, config or unknown)
    return model


def _wrap_unsloth(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`FastLanguageModel.get_peft_model(model, r=...)`: adapter and checkpointing in one call."""
    model = _model_of(scene, arguments, node)
    entries = dict(arguments.named)
    if arguments.open is not None:
        entries[OPEN] = Slot(arguments.open, None)
    name = "FastLanguageModel.get_peft_model"
    adapter = scene.memory.new_thing("adapter", name, node, entries.items())
    scene.memory.put_in(model, ADAPTER, Slot(adapter, None, scene.statement))
    return model


def _wrap_trained_adapter(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`PeftModel.from_pretrained(model, adapter)`: an adapter whose settings lie elsewhere."""
    model = _model_of(scene, arguments, node)
    unknown = Unknown(node, "settings of a trained adapter lie in another file")
    trainable = arguments.named.get("is_trainable")
    if trainable is not None and isinstance(trainable.value, Known) and trainable.value.value:
        entries = [(OPEN, Slot(unknown, None))]
        adapter = scene.memory.new_thing("adapter", "LoraConfig", node, entries)
        scene.memory.put_in(model, ADAPTER, Slot(adapter, None, scene.statement))
    return model


def _prepare_kbit(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`peft.prepare_model_for_kbit_training`: checkpointing on, unless it is told not to."""
    model = _model_of(scene, arguments, node)
    slot = arguments.named.get("use_gradient_checkpointing")
    if slot is None and len(arguments.positional) > 1:
        slot = arguments.positional[1]
    scene.memory.put_in(model, KBIT, slot or Slot(Known(True, node), None, scene.statement))
    settings = arguments.named.get(SETTINGS)
    if settings is not None:
        scene.memory.put_in(model, SETTINGS, settings)
    return model


def _compile(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`torch.compile(model)` gives the model back."""
    first = arguments.first("model")
    if first is not None and isinstance(first.value, Thing) and first.value.kind == "model":
        compiled = Slot(Known(True, node), None, scene.statement)
        scene.memory.put_in(first.value, COMPILED, compiled)
        return first.value
    return make_part(scene, COMPILE, COMPILED, arguments, node)


def _with_tokenizer(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`trl.setup_chat_format(model, tokenizer)` gives both back."""
    given = [slot.value for slot in arguments.positional[:2]]
    given += [slot.value for name, slot in arguments.named.items() if name in _PAIR]
    return Items((*given[:2],), node) if len(given) >= 2 else Unknown(node, "what a call returns")


_PAIR = ("model", "tokenizer")


def _model_of(scene: Scene, arguments: Arguments, node: ast.Call) -> Thing:
    """The model that a call wraps; one that was not followed stands for itself."""
    slot = arguments.first("model")
    if slot is not None and isinstance(slot.value, Thing) and slot.value.kind == "model":
        return slot.value
    why = slot.value.why if slot and isinstance(slot.value, Unknown) else "not followed"
    return _new_model(scene, "", node, {OPEN: Slot(Unknown(node, why), None)})


MODEL_FUNCTIONS: dict[str, Callable[[Scene, Arguments, ast.Call], Value]] = {
    "peft.get_peft_model": _get_peft_model,
    "peft.mapping.get_peft_model": _get_peft_model,
    "peft.prepare_model_for_kbit_training": _prepare_kbit,
    "peft.prepare_model_for_int8_training": _prepare_kbit,
    "peft.utils.prepare_model_for_kbit_training": _prepare_kbit,
    "torch.compile": _compile,
    "trl.setup_chat_format": _with_tokenizer,
    "trl.clone_chat_template": _with_tokenizer,
}
