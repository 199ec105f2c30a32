"""What a script takes from its command line: argparse options, and dataclasses that a parser fills.

The value of an option is the script's own default, marked as such: a launch line may replace it.
An option that must be given, or whose default is None, is not known from the script alone.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from workload.dialects.script_evaluate import evaluate
from workload.dialects.script_names import FROM_COMMAND_LINE, Named, classify
from workload.dialects.script_scene import MAX_STEPS, Arguments, Scene
from workload.dialects.script_spellings import ENUMERATIONS
from workload.dialects.script_values import (
    OPEN,
    Items,
    Known,
    Local,
    Option,
    Slot,
    Symbol,
    Thing,
    Unknown,
    Value,
    optional,
)
from workload.normalise import number
from workload.source import GivenOption

_CONVERT: dict[str, Callable[[str], int | float | str]] = {
    "builtins.int": int,
    "builtins.float": float,
    "builtins.str": str,
}
_SAME_PARSER = frozenset(
    {"add_argument_group", "add_mutually_exclusive_group", "add_config_arguments"}
)
_PARSES = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args"})
_FILLS = frozenset(
    {
        "parse_args_into_dataclasses",
        "parse_args_and_config",
        "parse_json_file",
        "parse_yaml_file",
        "parse_dict",
        "parse",
    }
)


def parser_method(
    scene: Scene, base: Thing, name: str, arguments: Arguments, node: ast.Call
) -> Value:
    """A method of `argparse.ArgumentParser`, HfArgumentParser or TrlParser."""
    types = scene.memory.get(base.owner, "dataclass_types")
    if name in _FILLS and types is not None:
        listed = types.value.values if isinstance(types.value, Items) else (types.value,)
        filled = [_filled(scene, one, node) for one in listed]
        extra = arguments.named.get("return_remaining_strings")
        if extra is not None and isinstance(extra.value, Known) and extra.value.value:
            filled.append(Unknown(node, FROM_COMMAND_LINE))
        return Items(tuple(filled), node)
    if name in _SAME_PARSER:
        return base
    if name == "add_argument":
        _add_option(scene, base, arguments, node)
    elif name == "set_defaults":
        for dest, slot in arguments.named.items():
            option = Option(f"--{dest}")
            scene.memory.put_in(base, dest, slot._replace(value=optional(slot.value, option)))
    elif name in _PARSES:
        return _namespace(scene, base, name, arguments, node)
    return Unknown(node, "what a call returns")


def _add_option(scene: Scene, parser: Thing, arguments: Arguments, node: ast.Call) -> None:
    names = [slot.value.value for slot in arguments.positional if isinstance(slot.value, Known)]
    texts = [name for name in names if isinstance(name, str)]
    if not texts or len(texts) < len(arguments.positional) or arguments.open is not None:
        scene.memory.put_in(parser, OPEN, Slot(Unknown(node, FROM_COMMAND_LINE), None))
        return
    shown = next((text for text in texts if text.startswith("--")), texts[0])
    given = arguments.named.get("dest")
    dest = shown.lstrip("-").replace("-", "_")
    if given is not None and isinstance(given.value, Known):
        dest = str(given.value.value)
    given_now = _given(scene, [*texts, dest])
    denied = _given(scene, [f"no-{text.lstrip('-')}" for text in texts])
    if denied is not None and _is_optional(arguments):
        option = Option(denied.name or shown, (denied.file, denied.line))
        scene.memory.put_in(parser, dest, Slot(Known(False, node, option), None, None, node))
        return
    if given_now is not None:
        value = _launched(given_now, arguments, Option(shown), node)
        scene.memory.put_in(parser, dest, Slot(value, None, None, node))
        return
    slot = _default(scene, arguments, node, Option(shown))
    if not shown.startswith("-") or _said(arguments, "required"):
        slot = Slot(Unknown(node, f"{FROM_COMMAND_LINE} ({shown})"), None)
    scene.memory.put_in(parser, dest, slot)


def _given(scene: Scene, names: list[str]) -> GivenOption | None:
    """What the launch line gives an option under one of its names."""
    found = (scene.given.get(name.lstrip("-").replace("-", "_")) for name in names)
    return next((one for one in found if one is not None), None)


def _is_optional(arguments: Arguments) -> bool:
    """Whether an option has its denial: `--no-name`."""
    action = arguments.named.get("action")
    symbol = action.value.name if action and isinstance(action.value, Symbol) else ""
    return symbol.endswith("BooleanOptionalAction")


def _default(scene: Scene, arguments: Arguments, node: ast.Call, option: Option) -> Slot:
    """The value of an option that the command line does not give."""
    slot = arguments.named.get("default")
    action = arguments.named.get("action")
    word = action.value.value if action and isinstance(action.value, Known) else None
    if slot is None:
        implied = {"store_true": False, "store_false": True}.get(str(word))
        return Slot(Known(implied, node, option), None, None, node)
    value = _converted(slot.value, arguments.named.get("type"))
    return slot._replace(value=optional(value, option))


def _converted(value: Value, kind: Slot | None) -> Value:
    """A default that is a text goes through `type`, as a text of the command line would."""
    if kind is None or not isinstance(value, Known) or not isinstance(value.value, str):
        return value
    symbol = kind.value.name if isinstance(kind.value, Symbol) else ""
    if symbol.rpartition(".")[2] in ENUMERATIONS:
        return value
    work = _CONVERT.get(symbol)
    if work is None:
        return Unknown(value.node, "converted by a function of its own")
    try:
        return Known(work(value.value), value.node, value.option)
    except ValueError:
        return Unknown(value.node, "no value of its type")


def _launched(given: GivenOption, arguments: Arguments, option: Option, node: ast.Call) -> Value:
    """The value that a launch line gives an option of argparse."""
    action, kind = arguments.named.get("action"), arguments.named.get("type")
    word = action.value.value if action and isinstance(action.value, Known) else None
    if word in ("store_true", "store_false"):
        place = (given.file, given.line)
        return Known(word == "store_true", node, Option(given.name or option.name, place))
    default = arguments.named.get("default")
    name = kind.value.name if kind and isinstance(kind.value, Symbol) else ""
    return given_value(given, option, node, default.value if default else None, name)


def given_value(
    given: GivenOption, option: Option, node: ast.expr, like: Value | None, kind: str = ""
) -> Value:
    """The words of a launch line as a parser of the script converts them.

    Args:
        given: the words and their place.
        option: the option that they set.
        node: the call that parses.
        like: the option's default, whose type they have where no `kind` is said.
        kind: dotted name of the type that converts them.
    """
    placed = Option(given.name or option.name, (given.file, given.line))
    if given.why:
        return Unknown(node, given.why)
    if not given.words:
        return Known(True, node, placed)
    if len(given.words) > 1:
        parts = (GivenOption((word,), given.file, given.line) for word in given.words)
        return Items(tuple(given_value(one, option, node, None, kind) for one in parts), node)
    text = given.words[0]
    held = like.value if isinstance(like, Known) else None
    if kind in _CONVERT or isinstance(held, str):
        made = _converted(Known(text, node), Slot(Symbol(kind or "builtins.str", node), None))
        return replace(made, option=placed) if isinstance(made, Known) else made
    value = number(text)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return Known(value.lower() == "true", node, placed)
    plain = value is None or isinstance(value, (int, float, str))
    return Known(value, node, placed) if plain else Unknown(node, FROM_COMMAND_LINE)


def _said(arguments: Arguments, name: str) -> bool:
    slot = arguments.named.get(name)
    return slot is not None and isinstance(slot.value, Known) and bool(slot.value.value)


def _namespace(
    scene: Scene, parser: Thing, name: str, arguments: Arguments, node: ast.Call
) -> Value:
    """What `parse_args` gives: every option with its default."""
    entries = scene.memory.entries(parser)
    scene.steps += len(entries)
    if scene.steps > MAX_STEPS:
        return Unknown(node, "a call that is not followed")
    made = scene.memory.new_thing("namespace", "argparse.Namespace", node, entries.items())
    if name != "parse_known_args":
        return made
    return Items((made, Unknown(node, FROM_COMMAND_LINE)), node)


def _filled(scene: Scene, kind: Value, node: ast.Call) -> Value:
    """A dataclass as a parser fills it: its own fields have defaults, an imported class's none."""
    if isinstance(kind, Local):
        entries = class_entries(scene, kind, from_command_line=True)
        symbol: Value | None = kind.base
    else:
        entries, symbol = {}, kind
    named = classify(symbol.name) if isinstance(symbol, Symbol) else Named("", "")
    if named.kind not in ("config", "arguments"):
        named = Named("arguments", named.name)
    away = not isinstance(kind, Local) or kind.base is not None or kind.open
    _give(scene, entries, node, away=away)
    if away and ("**" in scene.given or "config" in scene.given or not scene.given):
        entries[OPEN] = Slot(Unknown(node, FROM_COMMAND_LINE), None)
    thing = scene.memory.new_thing(named.kind, named.name, node, entries.items())
    if named.kind == "config":
        scene.note(scene.configs, thing)
    finish(scene, kind, thing, node)
    return thing


def _give(scene: Scene, entries: dict[str, Slot], node: ast.Call, *, away: bool) -> None:
    """Puts the options of a launch line into a dataclass: into one of another file, all of them."""
    for name, given in scene.given.items():
        held = entries.get(name)
        if name != "**" and (away or held is not None):
            like = held.value if held is not None else None
            value = given_value(given, Option(f"--{name}"), node, like)
            entries[name] = Slot(value, None, None, node)


def finish(scene: Scene, kind: Value, thing: Thing, node: ast.Call) -> None:
    """Runs the `__post_init__` of a dataclass of the script on what was made of it."""
    if not isinstance(kind, Local):
        return
    start = scene.memory.get(kind.owner, "__post_init__")
    if start is not None and isinstance(start.value, Local):
        scene.enter(scene, start.value, Arguments((Slot(thing, None),), {}, None), node)


def class_entries(
    scene: Scene, kind: Local, *, from_command_line: bool = False, depth: int = 0
) -> dict[str, Slot]:
    """What a class of the script, and those it extends, give every instance."""
    entries: dict[str, Slot] = {}
    scene.steps += 1
    for base in kind.bases if depth < 8 and scene.steps < MAX_STEPS else ():
        entries |= class_entries(scene, base, from_command_line=from_command_line, depth=depth + 1)
    body = kind.node.body if isinstance(kind.node, ast.ClassDef) else []
    for statement in body:
        for name in _assigned(statement):
            slot = scene.memory.get(kind.owner, name)
            if slot is None and isinstance(statement, ast.AnnAssign) and from_command_line:
                slot = Slot(Unknown(statement.target, f"{FROM_COMMAND_LINE} (--{name})"), None)
            if slot is not None:
                option = Option(f"--{name}") if from_command_line else None
                entries[name] = slot._replace(value=optional(slot.value, option))
    return entries


def _assigned(statement: ast.stmt) -> list[str]:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = statement.targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


def call_from_command_line(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`fire.Fire(main)`, `typer.run(main)`, `jsonargparse.CLI(main)`: parameters are options."""
    slot = arguments.first("component", "function", "components", "f")
    if slot is None or not isinstance(slot.value, Local):
        return Unknown(node, "what a call returns")
    if isinstance(slot.value.node, ast.ClassDef):
        return _filled(scene, slot.value, node)
    parameters = slot.value.node.args
    named = [*parameters.posonlyargs, *parameters.args][::-1]
    found = dict(zip([one.arg for one in named], parameters.defaults[::-1], strict=False))
    found |= {
        one.arg: default
        for one, default in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True)
        if default is not None
    }
    given: dict[str, Slot] = {}
    for name, default in found.items():
        value = optional(evaluate(scene, default), Option(f"--{name}"))
        given[name] = Slot(value, default)
        if name in scene.given:
            said = given_value(scene.given[name], Option(f"--{name}"), node, value)
            given[name] = Slot(said, None, None, node)
    required = {one.arg for one in (*named, *parameters.kwonlyargs)} - given.keys()
    for name in required:
        given[name] = Slot(Unknown(node, f"{FROM_COMMAND_LINE} (--{name})"), None)
        if name in scene.given:
            said = given_value(scene.given[name], Option(f"--{name}"), node, None)
            given[name] = Slot(said, None, None, node)
    return scene.enter(scene, slot.value, Arguments((), given, None), node)
