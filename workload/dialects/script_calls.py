"""What the calls of a training script make: configs, adapters, trainers; when training starts."""

from __future__ import annotations

import ast
from collections.abc import Callable

from audit.records.errors import InputError
from workload.dialects.script_assign import assign
from workload.dialects.script_effects import PLAIN_FUNCTIONS
from workload.dialects.script_evaluate import attribute, evaluate, unpacked
from workload.dialects.script_fold import PLAIN, fold_call, fold_method, joined
from workload.dialects.script_loop import (
    accelerator_method,
    loop_role,
    make_part,
    note_backward,
)
from workload.dialects.script_models import (
    LOADING,
    MODEL_FUNCTIONS,
    enable_checkpointing,
    loaded,
    model_method,
)
from workload.dialects.script_names import Named, classify
from workload.dialects.script_parsers import class_entries, finish, parser_method
from workload.dialects.script_scene import Arguments, Scene
from workload.dialects.script_values import (
    ON_A_CONDITION,
    OPEN,
    Items,
    Known,
    Local,
    Slot,
    Symbol,
    Thing,
    Unknown,
    Value,
)

STOPS = frozenset({"sys.exit", "builtins.exit", "builtins.quit", "os._exit"})
"""Calls behind which nothing is reached; their value is their own name."""
_POSITIONS: dict[str, tuple[str, ...]] = {
    "DPOTrainer": ("model", "ref_model", "args"),
    "KTOTrainer": ("model", "ref_model", "args"),
    "GRPOTrainer": ("model", "reward_funcs", "args"),
    "RLOOTrainer": ("model", "reward_funcs", "args"),
}
_TRAINER_POSITIONS = ("model", "args", "data_collator", "train_dataset", "eval_dataset")
_FIRST: dict[str, tuple[str, ...]] = {
    "config": ("output_dir",),
    "quantization": ("quant_type",),
    "adapter": ("task_type",),
}


def call(scene: Scene, node: ast.Call, depth: int) -> Value:
    """The value of a call; what it makes and sets is kept in the scene."""
    function = node.func
    if isinstance(function, ast.Attribute):
        base = evaluate(scene, function.value, depth)
        arguments = _arguments(scene, node, depth)
        if not isinstance(base, Symbol):
            return _method(scene, base, function.attr, arguments, node)
        callee = attribute(scene, base, function.attr, function)
    else:
        callee = evaluate(scene, function, depth)
        arguments = _arguments(scene, node, depth)
    if isinstance(callee, Symbol):
        return _imported(scene, callee.name, arguments, node)
    if isinstance(callee, Local):
        return _own(scene, callee, arguments, node)
    if "truncation" in arguments.named:
        scene.tokenized.append(arguments.named)
    return Unknown(node, "what a call returns")


def _arguments(scene: Scene, node: ast.Call, depth: int) -> Arguments:
    positional: list[Slot] = []
    named: dict[str, Slot] = {}
    rest: Unknown | None = None
    for one in node.args:
        value = evaluate(scene, one, depth)
        if not isinstance(one, ast.Starred):
            positional.append(Slot(value, one, None, node))
        elif isinstance(value, Items):
            positional += [Slot(item, None) for item in value.values]
        else:
            rest = Unknown(one, "a `*list` that the text does not show")
            break
    for keyword in node.keywords:
        value = evaluate(scene, keyword.value, depth)
        if keyword.arg is not None:
            named[keyword.arg] = Slot(value, keyword.value, keyword, node)
            continue
        more = unpacked(scene, value, keyword.value)
        open_ended = more.pop(OPEN, None)
        if open_ended is not None and isinstance(open_ended.value, Unknown):
            rest = open_ended.value
        named.update(more)
    return Arguments(tuple(positional), named, rest)


def _imported(scene: Scene, dotted: str, arguments: Arguments, node: ast.Call) -> Value:
    """A call of something imported."""
    if dotted in STOPS:
        return Symbol(dotted, node)
    known = _FUNCTIONS.get(dotted)
    if known is not None:
        return known(scene, arguments, node)
    if dotted in PLAIN and not arguments.named and arguments.open is None:
        return fold_call(dotted, [slot.value for slot in arguments.positional], node)
    owner, _, method = dotted.rpartition(".")
    if method in LOADING and owner:
        return loaded(scene, classify(owner), method, arguments, node)
    if dotted.startswith("liger_kernel.") and method.startswith("apply_liger_kernel"):
        scene.kernels.append(node)
        scene.doubt(node)
    named = classify(dotted)
    if named.kind in _CLASSES:
        return _make(scene, named, arguments, node)
    role = loop_role(dotted)
    if role is not None:
        return make_part(scene, role, dotted, arguments, node)
    return Unknown(node, "what a call returns")


_CLASSES = frozenset(
    {"config", "trainer", "adapter", "quantization", "parser", "arguments", "tokenizer"}
)


def _make(
    scene: Scene,
    named: Named,
    arguments: Arguments,
    node: ast.Call,
    inherited: dict[str, Slot] | None = None,
) -> Thing:
    """An instance of a known class; its keywords are its entries."""
    _refuse_repeated(scene, node)
    first = _FIRST.get(named.kind, ())
    if named.kind == "trainer":
        first = _POSITIONS.get(named.name, _TRAINER_POSITIONS)
    entries = {**(inherited or {}), **dict(zip(first, arguments.positional, strict=False))}
    entries.update(arguments.named)
    if named.kind == "parser" and arguments.positional:
        entries["dataclass_types"] = arguments.positional[0]
    if arguments.open is not None:
        entries[OPEN] = Slot(arguments.open, None)
    thing = scene.memory.new_thing(named.kind, named.name, node, entries.items())
    made = {"config": scene.configs, "trainer": scene.trainers, "adapter": scene.adapters}
    scene.note(made.get(named.kind, []), thing)
    return thing


def _refuse_repeated(scene: Scene, node: ast.Call) -> None:
    """Python itself refuses a keyword given twice, though not while it parses."""
    seen: set[str] = set()
    for keyword in node.keywords:
        if keyword.arg in seen:
            reason = f"the keyword {keyword.arg} is given twice in one call, which Python refuses"
            raise InputError(
                reason,
                file=scene.file,
                line=keyword.lineno,
                column=keyword.col_offset + 1,
                remedy="Remove one of the two",
            )
        seen.add(keyword.arg or "")


def _own(scene: Scene, callee: Local, arguments: Arguments, node: ast.Call) -> Value:
    """A call of a function or class of the script."""
    if not isinstance(callee.node, ast.ClassDef):
        return scene.enter(scene, callee, arguments, node)
    inherited = class_entries(scene, callee)
    arguments = _by_own_names(scene, callee, arguments)
    if callee.base is not None:
        named = classify(callee.base.name)
        made = _make(scene, named, arguments, node, inherited)
        scene.class_of[made.owner] = callee
        finish(scene, callee, made, node)
        return made
    entries = {**inherited, **arguments.named}
    if arguments.open is not None:
        entries[OPEN] = Slot(arguments.open, None)
    thing = scene.memory.new_thing("own", callee.node.name, node, entries.items())
    scene.class_of[thing.owner] = callee
    start = scene.memory.get(callee.owner, "__init__")
    if start is not None and isinstance(start.value, Local):
        with_self = (Slot(thing, None), *arguments.positional)
        scene.enter(scene, start.value, Arguments(with_self, arguments.named, arguments.open), node)
    finish(scene, callee, thing, node)
    return thing


def _by_own_names(scene: Scene, callee: Local, arguments: Arguments) -> Arguments:
    """Positional arguments by the names of the `__init__` of a class that extends a known one."""
    start = scene.memory.get(callee.owner, "__init__")
    if callee.base is None or start is None or not isinstance(start.value, Local):
        return arguments
    parameters = getattr(start.value.node, "args", None)
    names = [one.arg for one in parameters.args[1:]] if parameters else []
    named = dict(zip(names, arguments.positional, strict=False))
    return Arguments((), {**named, **arguments.named}, arguments.open)


def _method(scene: Scene, base: Value, name: str, arguments: Arguments, node: ast.Call) -> Value:
    """A call of a method of something that was made, or of something not followed."""
    if name == "backward":
        note_backward(scene, node)
    if isinstance(base, Thing):
        known = _METHODS.get(base.kind)
        if known is not None:
            return known(scene, base, name, arguments, node)
    elif isinstance(base, Known):
        made = fold_method(base, name, [slot.value for slot in arguments.positional], node)
        if made is not None:
            return made
    elif isinstance(base, Items) and name in _CHANGES:
        _change_list(scene, base, name, arguments, node)
    if name == "gradient_checkpointing_enable":
        enable_checkpointing(scene, scene.loose, arguments, node)
    elif name == "train_test_split" and "test_size" in arguments.named:
        _note_split(scene, arguments.named["test_size"], node)
    elif "truncation" in arguments.named:
        scene.tokenized.append(arguments.named)
    return Unknown(node, "what a call returns")


_CHANGES = frozenset({"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"})


def _change_list(
    scene: Scene, base: Items, name: str, arguments: Arguments, node: ast.Call
) -> None:
    """`names.append(x)` changes the list wherever the name or attribute before the dot leads."""
    given = [slot.value for slot in arguments.positional]
    changed: Value = Unknown(node, "a list that is changed")
    if name == "append" and len(given) == 1:
        changed = joined(base, given, base.node)
    elif name == "extend" and len(given) == 1 and isinstance(given[0], Items):
        changed = joined(base, given[0].values, base.node)
    if isinstance(node.func, ast.Attribute) and scene.statement is not None:
        assign(scene, node.func.value, Slot(changed, None), scene.statement)


def _trainer_method(
    scene: Scene, base: Thing, name: str, arguments: Arguments, node: ast.Call
) -> Value:
    if name == "train":
        scene.start_training(base, node)
    return Unknown(node, "what a call returns")


def _own_method(
    scene: Scene, base: Thing, name: str, arguments: Arguments, node: ast.Call
) -> Value:
    """A method of a class of the script, with the instance before its arguments."""
    made = scene.class_of.get(base.owner)
    slot = scene.memory.get(made.owner, name) if made else None
    if slot is None or not isinstance(slot.value, Local):
        return Unknown(node, "what a call returns")
    positional = (Slot(base, None), *arguments.positional)
    with_self = Arguments(positional, arguments.named, arguments.open)
    return scene.enter(scene, slot.value, with_self, node)


def _dict_method(
    scene: Scene, base: Thing, name: str, arguments: Arguments, node: ast.Call
) -> Value:
    memory = scene.memory
    if name == "copy":
        return memory.new_thing("dict", "dict", node, unpacked(scene, base, node).items())
    key = arguments.positional[0].value if arguments.positional else None
    if name == "update":
        given = {**arguments.named}
        if key is not None:
            given = {**unpacked(scene, key, node), **given}
        for entry, slot in given.items():
            memory.put_in(base, entry, slot)
    elif isinstance(key, Known) and isinstance(key.value, str):
        if name == "setdefault" and memory.get(base.owner, key.value) is None:
            memory.put_in(base, key.value, arguments.positional[-1])
        if name == "pop":
            memory.put_in(base, key.value, None)
        if name in ("get", "setdefault"):
            held = memory.get(base.owner, key.value)
            return held.value if held else Unknown(node, "what a call returns")
    return Unknown(node, "what a call returns")


def _note_split(scene: Scene, slot: Slot, node: ast.Call) -> None:
    if scene.open_branches:
        slot = slot._replace(value=Unknown(node, ON_A_CONDITION))
    scene.splits.append(slot)


def _data_method(
    scene: Scene, base: Thing, name: str, arguments: Arguments, node: ast.Call
) -> Value:
    if name == "train_test_split" and "test_size" in arguments.named:
        _note_split(scene, arguments.named["test_size"], node)
        return Unknown(node, "what a call returns")
    return base


_METHODS: dict[str, Callable[[Scene, Thing, str, Arguments, ast.Call], Value]] = {
    "trainer": _trainer_method,
    "own": _own_method,
    "dict": _dict_method,
    "parser": parser_method,
    "model": model_method,
    "data": _data_method,
    "loop": accelerator_method,
}
_FUNCTIONS: dict[str, Callable[[Scene, Arguments, ast.Call], Value]] = {
    **MODEL_FUNCTIONS,
    **PLAIN_FUNCTIONS,
}
