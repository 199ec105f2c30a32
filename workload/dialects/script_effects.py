"""What a script's other calls do: datasets, environment variables, dicts, TF32."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from workload.dialects.notebook_magics import split_variable
from workload.dialects.script_evaluate import attribute, evaluate, unpacked
from workload.dialects.script_names import FROM_COMMAND_LINE
from workload.dialects.script_parsers import call_from_command_line
from workload.dialects.script_scene import Arguments, Scene
from workload.dialects.script_values import (
    ON_A_CONDITION,
    OPEN,
    Items,
    Known,
    Option,
    Slot,
    Symbol,
    Thing,
    Unknown,
    Value,
    optional,
)


def _dict_call(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    entries = dict(arguments.named)
    for slot in arguments.positional:
        entries = {**unpacked(scene, slot.value, node), **entries}
    if arguments.open is not None:
        entries[OPEN] = Slot(arguments.open, None)
    return scene.memory.new_thing("dict", "dict", node, entries.items())


def _getattr(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`getattr(torch, "bfloat16")`, as the first QLoRA tutorials wrote it."""
    if len(arguments.positional) >= 2:
        base, name = arguments.positional[0].value, arguments.positional[1].value
        if isinstance(name, Known) and isinstance(name.value, str):
            return attribute(scene, base, name.value, node)
    return Unknown(node, "what a call returns")


def _environment(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`os.environ.setdefault("NAME", "value")` and `os.putenv`."""
    key = arguments.positional[0].value if len(arguments.positional) == 2 else None
    if isinstance(key, Known) and isinstance(key.value, str):
        slot = arguments.positional[1]
        if isinstance(scene.statement, ast.Expr) and scene.statement.value is node:
            slot = slot._replace(holder=scene.statement)
        scene.memory.put_in(scene.env, key.value, slot)
        return slot.value
    return Unknown(node, "what a call returns")


def _environment_update(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    given = dict(arguments.named)
    for slot in arguments.positional:
        given = {**unpacked(scene, slot.value, node), **given}
    for name, slot in given.items():
        if name != OPEN:
            scene.memory.put_in(scene.env, name, slot)
    return Known(None, node)


def _dataset(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """A dataset by name, or the data files behind a file format."""
    slot = arguments.first("path", "dataset_path")
    builders = ("json", "csv", "parquet", "text", "arrow", "pandas")
    if slot and isinstance(slot.value, Known) and slot.value.value in builders:
        slot = arguments.named.get("data_files", slot)
    if slot is not None and not scene.repeating:
        if scene.open_branches:
            choices = (slot.value,) if isinstance(slot.value, Known) else ()
            slot = slot._replace(value=Unknown(node, ON_A_CONDITION, choices))
        scene.datasets.append(slot)
    return scene.memory.new_thing("data", "load_dataset", node)


def _shell(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`get_ipython()`, in the script that nbconvert made of a notebook."""
    return Symbol("IPython.shell", node)


def _line_magic(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`get_ipython().run_line_magic('env', 'NAME=value')` is what `%env` becomes."""
    words = [slot.value.value for slot in arguments.positional if isinstance(slot.value, Known)]
    if len(words) == 2 and words[0] in ("env", "set_env"):
        name, value = split_variable(str(words[1]))
        if value is not None:
            known = Known(value, node.args[1])
            scene.memory.put_in(scene.env, name, Slot(known, None, scene.statement))
    return Unknown(node, "what a call returns")


def _matmul_precision(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`torch.set_float32_matmul_precision("high")` allows TF32 as `allow_tf32 = True` does."""
    slot = arguments.first("precision")
    if slot is not None and isinstance(slot.value, Known):
        allows = Known(slot.value.value in ("high", "medium"), slot.value.node)
        name = "torch.backends.cuda.matmul.allow_tf32"
        scene.memory.put_in(scene.symbols, name, Slot(allows, None, scene.statement))
    return Known(None, node)


def _default_field(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`dataclasses.field(default=...)` of a class of the script."""
    slot = arguments.named.get("default")
    if slot is not None:
        return slot.value
    factory = arguments.named.get("default_factory") or arguments.named.get("factory")
    if factory is not None and isinstance(factory.site, ast.Lambda):
        return evaluate(scene, factory.site.body)
    name = factory.value.name if factory and isinstance(factory.value, Symbol) else ""
    if name == "builtins.list":
        return Items((), node)
    if name == "builtins.dict":
        return scene.memory.new_thing("dict", "dict", node)
    return Unknown(node, FROM_COMMAND_LINE)


def _variable(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`os.environ.get("NAME", default)`: the script's own default, which the shell may replace."""
    slot = arguments.positional[0] if arguments.positional else None
    name = slot.value.value if slot and isinstance(slot.value, Known) else None
    if not isinstance(name, str):
        return Unknown(node, "read from the environment")
    held = scene.memory.get(scene.env.owner, name)
    if held is not None:
        return held.value
    default = arguments.positional[1:2] or [
        one for key, one in arguments.named.items() if key == "default"
    ]
    if not default or _SET_BY_LAUNCHERS.search(name):
        return Unknown(node, "read from the environment")
    return optional(default[0].value, Option(f"${name}"))


_SET_BY_LAUNCHERS = re.compile(r"RANK|WORLD_SIZE|MASTER_|SLURM|VISIBLE_DEVICES|NODE|LAUNCH|NPROC")
"""Variables that torchrun, accelerate or SLURM set: the script's default is for no launcher."""


def _vars(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`vars(args)`: the options as a dict."""
    first = arguments.positional[0].value if arguments.positional else None
    if isinstance(first, Thing) and first.kind in ("namespace", "arguments", "own"):
        entries = scene.memory.entries(first)
        return scene.memory.new_thing("dict", "dict", node, entries.items())
    return Unknown(node, "what a call returns")


def _option_parser(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    return scene.memory.new_thing("parser", "ArgumentParser", node)


def _same_parser(scene: Scene, arguments: Arguments, node: ast.Call) -> Value:
    """`deepspeed.add_config_arguments(parser)` adds options of its own and gives it back."""
    slot = arguments.first("parser")
    if slot is not None and isinstance(slot.value, Thing):
        return slot.value
    return Unknown(node, "what a call returns")


PLAIN_FUNCTIONS: dict[str, Callable[[Scene, Arguments, ast.Call], Value]] = {
    "builtins.dict": _dict_call,
    "builtins.getattr": _getattr,
    "os.environ.setdefault": _environment,
    "os.putenv": _environment,
    "os.environ.update": _environment_update,
    "datasets.load_dataset": _dataset,
    "datasets.load_from_disk": _dataset,
    "datasets.load.load_dataset": _dataset,
    "IPython.get_ipython": _shell,
    "IPython.shell.run_line_magic": _line_magic,
    "torch.set_float32_matmul_precision": _matmul_precision,
    "dataclasses.field": _default_field,
    "transformers.HfArg": _default_field,
    "transformers.hf_argparser.HfArg": _default_field,
    "os.environ.get": _variable,
    "os.getenv": _variable,
    "builtins.vars": _vars,
    "argparse.ArgumentParser": _option_parser,
    "deepspeed.add_config_arguments": _same_parser,
    **dict.fromkeys(
        ("fire.Fire", "typer.run", "tyro.cli", "jsonargparse.CLI", "jsonargparse.auto_cli"),
        call_from_command_line,
    ),
}
