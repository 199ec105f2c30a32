"""What a training loop of a script's own is made of: loader, optimizer, autocast, wrappers, steps.

Collected while the script is walked; `script_loop_fields` makes fields of it. A script has such a
loop where `.backward()` is called and an optimizer, an Accelerator or a DeepSpeed engine is made.
"""

from __future__ import annotations

import ast

from workload.dialects.script_scene import MAX_MADE, Arguments, Scene
from workload.dialects.script_values import (
    OPEN,
    Items,
    Known,
    Slot,
    Symbol,
    Thing,
    Unknown,
    Value,
)

LOADER, OPTIMIZER, SCHEDULER, SCALER = "loader", "optimizer", "scheduler", "scaler"
AUTOCAST, ATTENTION, ACCELERATOR, ENGINE = "autocast", "attention", "accelerator", "engine"
DDP, FSDP, CLIP, SEED, COMPILE = "ddp", "fsdp", "clip", "seed", "compile"
PLUGIN = "plugin"

_EXACT: dict[str, str] = {
    "torch.autocast": AUTOCAST,
    "torch.amp.autocast": AUTOCAST,
    "torch.cuda.amp.autocast": AUTOCAST,
    "torch.amp.GradScaler": SCALER,
    "torch.cuda.amp.GradScaler": SCALER,
    "torch.nn.attention.sdpa_kernel": ATTENTION,
    "torch.backends.cuda.sdp_kernel": ATTENTION,
    "torch.nn.utils.clip_grad_norm_": CLIP,
    "torch.nn.utils.clip_grad.clip_grad_norm_": CLIP,
    "torch.manual_seed": SEED,
    "transformers.set_seed": SEED,
    "accelerate.utils.set_seed": SEED,
    "accelerate.utils.random.set_seed": SEED,
    "torch.compile": COMPILE,
    "deepspeed.initialize": ENGINE,
}
_BY_LAST_NAME: dict[str, str] = {
    "DataLoader": LOADER,
    "StatefulDataLoader": LOADER,
    "DistributedDataParallel": DDP,
    "FullyShardedDataParallel": FSDP,
    "fully_shard": FSDP,
    "Accelerator": ACCELERATOR,
    "DeepSpeedPlugin": PLUGIN,
    "FullyShardedDataParallelPlugin": PLUGIN,
    "DistributedDataParallelKwargs": PLUGIN,
    "GradientAccumulationPlugin": PLUGIN,
}
_PACKAGES = frozenset({"torch", "torchdata", "accelerate", "deepspeed"})
_OPTIMIZER_PACKAGES = ("torch.optim.", "bitsandbytes.optim.", "torchao.optim.", "deepspeed.ops.",
                       "apex.optimizers.")  # fmt: skip
_NO_OPTIMIZER = ("lr_scheduler", "swa_utils", "optimizer.Optimizer")
_TRANSFORMERS_OPTIMIZERS = frozenset({"AdamW", "Adafactor"})
_POSITIONS: dict[str, tuple[str, ...]] = {
    LOADER: ("dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "num_workers",
             "collate_fn", "pin_memory"),
    OPTIMIZER: ("params", "lr"),
    SCHEDULER: ("optimizer", "num_warmup_steps", "num_training_steps"),
    AUTOCAST: ("device_type", "dtype", "enabled"),
    ATTENTION: ("backends",),
    CLIP: ("parameters", "max_norm"),
    SEED: ("seed",),
    ACCELERATOR: ("device_placement", "split_batches", "mixed_precision",
                  "gradient_accumulation_steps"),
    DDP: ("module",),
    FSDP: ("module",),
    ENGINE: ("args", "model", "optimizer"),
    COMPILE: ("model",),
}  # fmt: skip


def loop_role(dotted: str) -> str | None:
    """What an imported function or class is to a training loop."""
    exact = _EXACT.get(dotted)
    if exact is not None:
        return exact
    package, _, rest = dotted.partition(".")
    name = rest.rpartition(".")[2]
    if package in _PACKAGES and name in _BY_LAST_NAME:
        return _BY_LAST_NAME[name]
    if is_optimizer(dotted):
        return OPTIMIZER
    if dotted.startswith("torch.optim.lr_scheduler."):
        return SCHEDULER
    schedule = name == "get_scheduler" or (name.startswith("get_") and "_schedule" in name)
    return SCHEDULER if package in ("transformers", "diffusers") and schedule else None


def is_optimizer(dotted: str) -> bool:
    """Whether a dotted name is an optimizer class."""
    name = dotted.rpartition(".")[2]
    if dotted.startswith("transformers."):
        return name in _TRANSFORMERS_OPTIMIZERS
    known = dotted.startswith(_OPTIMIZER_PACKAGES) and name[:1].isupper()
    return known and not any(word in dotted for word in _NO_OPTIMIZER)


def make_part(scene: Scene, role: str, dotted: str, arguments: Arguments, node: ast.Call) -> Value:
    """A call that makes a part of a loop; wrappers give back the model they are given."""
    positions = _POSITIONS.get(role, ())
    if dotted == "torch.cuda.amp.autocast":
        positions = ("enabled", "dtype")
    elif dotted.endswith(".get_scheduler"):
        positions = ("name", *positions)
    entries = {**dict(zip(positions, arguments.positional, strict=False)), **arguments.named}
    if arguments.open is not None:
        entries[OPEN] = Slot(arguments.open, None)
    part = scene.memory.new_thing("loop", f"{role} {dotted}", node, entries.items())
    known = scene.repeating and any(one.node is node for one in scene.loop.parts)
    if not known and len(scene.loop.parts) < MAX_MADE:
        scene.loop.parts.append(part)
    scene.doubt(node)
    if role == ENGINE:
        return _initialized(scene, entries, part, node)
    wrapped = entries.get("module") or entries.get("model")
    if role in (DDP, FSDP, COMPILE):
        _trained(scene, wrapped)
        return wrapped.value if wrapped is not None else Unknown(node, "what a call returns")
    return part


def _trained(scene: Scene, slot: Slot | None) -> None:
    if slot is not None and isinstance(slot.value, Thing) and slot.value.kind == "model":
        scene.loop.models.append(slot.value)


def _initialized(scene: Scene, entries: dict[str, Slot], part: Thing, node: ast.Call) -> Value:
    """`deepspeed.initialize` gives engine, optimizer, loader and schedule."""
    model = entries.get("model")
    _trained(scene, model)
    unknown = Unknown(node, "made by deepspeed.initialize")
    engine = model.value if model is not None and isinstance(model.value, Thing) else unknown
    loader = part if "training_data" in entries else unknown
    return Items((engine, unknown, loader, unknown), node)


def accelerator_method(
    scene: Scene, base: Thing, name: str, arguments: Arguments, node: ast.Call
) -> Value:
    """A method of a part: `prepare` gives back what it is given, clipping is noted."""
    if name in ("prepare", "prepare_model"):
        for slot in arguments.positional:
            _trained(scene, slot)
        values = tuple(slot.value for slot in arguments.positional)
        if arguments.open is not None or not values:
            return Unknown(node, "what a call returns")
        return values[0] if len(values) == 1 else Items(values, node)
    if name in ("clip_grad_norm_",):
        return make_part(scene, CLIP, name, arguments, node)
    if name in ("unwrap_model", "prepare_data_loader", "prepare_optimizer") and (
        arguments.positional
    ):
        return arguments.positional[0].value
    return Unknown(node, "what a call returns")


def note_backward(scene: Scene, node: ast.Call) -> None:
    """`loss.backward()`, `accelerator.backward(loss)` or `engine.backward(loss)`."""
    loop = scene.loop
    if loop.moment is None:
        loop.moment = scene.freeze(None, node.lineno)
    if len(loop.backward) < MAX_MADE and all(one is not node for one in loop.backward):
        loop.backward.append(node)


def note_loop(
    scene: Scene, statement: ast.For | ast.AsyncFor | ast.While, passes: Slot | None
) -> None:
    """A loop around a backward pass, and what it goes over."""
    scene.loop.enclosing.setdefault(statement, passes)


def gone_over(node: ast.expr) -> ast.expr:
    """What a loop goes over, without `enumerate`, `tqdm`, `zip` and `iter` around it."""
    for _ in range(6):
        if not isinstance(node, ast.Call) or not node.args:
            break
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else ""
        name = function.id if isinstance(function, ast.Name) else name
        if name not in ("enumerate", "tqdm", "trange", "zip", "iter", "skip_first_batches"):
            break
        node = node.args[0]
    return node


def steps_every(statement: ast.If) -> ast.expr | None:
    """N of `if (step + 1) % N == 0:` whose body lets an optimizer step."""
    steps = any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "step"
        for inner in statement.body
        for node in ast.walk(inner)
    )
    if not steps:
        return None
    tests = [
        node
        for node in ast.walk(statement.test)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
    ]
    return tests[0].right if tests else None


def last_of_range(node: ast.expr) -> ast.expr | None:
    """N of `range(N)` or `range(0, N)`."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return None
    if node.func.id not in ("range", "trange") or not node.args or len(node.args) > 2:
        return None
    start = node.args[0]
    if len(node.args) == 1:
        return start
    begins = isinstance(start, ast.Constant) and start.value == 0
    return node.args[1] if begins else None


def part_name(part: Thing) -> str:
    """The dotted name of a part, as imported."""
    return part.name.partition(" ")[2]


def is_dtype(value: Value, name: str) -> bool:
    """Whether a value is a torch dtype, as a symbol or by its name."""
    if isinstance(value, Symbol):
        return value.name == f"torch.{name}"
    return isinstance(value, Known) and str(value.value).removeprefix("torch.") == name
