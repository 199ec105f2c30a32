"""Walks a script's statements in the order Python would, branch by branch, without running it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from workload.dialects.script_assign import assign
from workload.dialects.script_calls import STOPS, call
from workload.dialects.script_evaluate import evaluate, truth
from workload.dialects.script_loop import gone_over, last_of_range, note_loop, steps_every
from workload.dialects.script_names import classify
from workload.dialects.script_parse import parse_script
from workload.dialects.script_scene import MAX_CALLS, MAX_STEPS, Arguments, Exits, Scene
from workload.dialects.script_signs import may_train
from workload.dialects.script_statements import PLAIN_STEPS, Flow
from workload.dialects.script_values import (
    Key,
    Known,
    Local,
    Option,
    Overlay,
    Slot,
    Symbol,
    Thing,
    Unknown,
    Value,
    option_of,
    optional,
)
from workload.source import SourceText

MAX_PASSES = 4
"""Walks of a loop's body; what still changes then is unknown."""


def read_scene(source: SourceText) -> Scene:
    """Everything that a script makes and sets, as far as its text alone tells.

    The module is walked first, with the functions it calls; then the functions nobody called, in
    text order, since something else may call them (`fire.Fire(main)`, `dataset.map(tokenize)`).

    Raises:
        InputError: the text is no Python.
    """
    tree = source.parsed(parse_script)
    scene = Scene(call, enter, source.name, tree, given=source.options)
    if not may_train(tree):  # a library: nothing that the walk finds would be a training run
        scene.end()
        return scene
    walk(scene, tree.body)
    scene.stored = Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    for function in scene.functions:
        if function.node not in scene.entered:
            _run(scene, function, Arguments((), {}, Unknown(function.node, "who calls it is open")))
    scene.end()
    return scene


def walk(scene: Scene, statements: Sequence[ast.stmt]) -> Flow:
    """Walks a block; False where its end is not reached."""
    for statement in statements:
        scene.steps += 1
        scene.statement = statement
        step = _STEPS.get(type(statement))
        if step is not None and not step(scene, statement):
            return False
    return True


def enter(scene: Scene, function: Local, arguments: Arguments, node: ast.Call) -> Value:
    """Calls a function of the script: what it returns, and what it makes and sets on the way."""
    if function.node in scene.calls or len(scene.calls) >= MAX_CALLS or scene.steps > MAX_STEPS:
        return Unknown(node, "a call that is not followed")
    return _run(scene, function, arguments)


def _run(scene: Scene, function: Local, arguments: Arguments) -> Value:
    """Walks a function's body; its effects are what all its returns agree on."""
    if isinstance(function.node, ast.ClassDef):
        return Unknown(function.node, "a class of the script")
    memory = scene.memory
    scene.entered.add(function.node)
    outside = scene.scopes, scene.calls, scene.statement, scene.exits
    since = memory.last_owner
    memory.fork()
    scene.exits = Exits(memory.depth)
    scene.scopes = (*function.scopes, memory.new_scope())
    scene.calls = (*scene.calls, function.node)
    instance = scene.methods.get(function.node)
    _bind_parameters(scene, function.node.args, arguments, instance)
    if walk(scene, function.node.body):
        scene.exits.add(memory, Known(None, ast.Constant(None, lineno=1, col_offset=0)))
    memory.leave()
    exits = scene.exits
    scene.scopes, scene.calls, scene.statement, scene.exits = outside
    if not exits.overlays:
        return Unknown(function.node, "a function that never returns")
    memory.join(exits.overlays, function.node, since)
    if exits.unkept:
        memory.blur(exits.unkept, function.node)
        return Unknown(function.node, "a function with very many returns")
    return memory.merged(exits.values, function.node)


def _bind_parameters(
    scene: Scene, parameters: ast.arguments, arguments: Arguments, instance: Thing | None
) -> None:
    """Gives the parameters the arguments of the call, else their defaults, else nothing known.

    A method that nobody calls gets the one instance that all such methods of its class share.
    """
    names = [*parameters.posonlyargs, *parameters.args]
    given = dict(zip([name.arg for name in names], arguments.positional, strict=False))
    given.update(arguments.named)
    if names and instance is not None:
        given.setdefault(names[0].arg, Slot(instance, None))
    defaults: dict[str, ast.expr | None] = dict(
        zip([name.arg for name in names[::-1]], parameters.defaults[::-1], strict=False)
    )
    defaults.update(
        zip((name.arg for name in parameters.kwonlyargs), parameters.kw_defaults, strict=True)
    )
    for name in (*names, *parameters.kwonlyargs):
        default = defaults.get(name.arg)
        slot = given.get(name.arg)
        if slot is None and default is not None and arguments.open is None:
            slot = Slot(evaluate(scene, default), default)
        scene.bind(name.arg, slot or Slot(Unknown(name, f"parameter {name.arg}"), None))
    for rest in filter(None, (parameters.vararg, parameters.kwarg)):
        scene.bind(rest.arg, Slot(Unknown(rest, f"parameter {rest.arg}"), None))


def _branches(scene: Scene, node: ast.AST, bodies: Sequence[Sequence[ast.stmt]]) -> Flow:
    """Walks bodies of which one runs; an empty one stands for "none does"."""
    since = scene.memory.last_owner
    reached: list[Overlay] = []
    scene.open_branches += 1
    for body in bodies:
        scene.memory.fork()
        goes_on = walk(scene, body)
        overlay = scene.memory.leave()
        if goes_on:
            reached.append(overlay)
    scene.open_branches -= 1
    if reached:
        scene.memory.join(reached, node, since)
    return bool(reached)


def _if(scene: Scene, statement: ast.If) -> Flow:
    every = steps_every(statement) if scene.loop.backward else None
    if every is not None:
        scene.loop.accumulation.append(Slot(evaluate(scene, every), every, statement))
    bodies: list[Sequence[ast.stmt]] = []
    following: ast.If | None = statement
    option: Option | None = None
    while following is not None:
        test = evaluate(scene, following.test)
        holds = truth(test)
        if holds is not None and option_of(test) is not None:
            option = option or option_of(test)
            scene.assume(option_of(test), following.test)
        if holds is not False:
            bodies.append(following.body)
        if holds is True:
            break
        rest = following.orelse
        following = rest[0] if len(rest) == 1 and isinstance(rest[0], ast.If) else None
        if following is None:
            bodies.append(rest)
    if len(bodies) > 1:
        return _branches(scene, statement, bodies)
    if option is None:
        return walk(scene, bodies[0])
    return _assumed_branch(scene, bodies[0], option)


def _assumed_branch(scene: Scene, body: Sequence[ast.stmt], option: Option) -> Flow:
    """A branch that the default of an option chose: what it sets is a default as well."""
    memory = scene.memory
    memory.fork()
    goes_on = walk(scene, body)
    for key, slot in memory.leave().items():
        value = None if slot is None else optional(slot.value, option)
        memory.put(*key, None if slot is None or value is None else slot._replace(value=value))
    return goes_on


def _loop(scene: Scene, statement: ast.For | ast.AsyncFor | ast.While) -> Flow:
    """The body as often as it may run; the first pass is what a training in it sees."""
    over: Slot | None = None
    if isinstance(statement, ast.While):
        if truth(evaluate(scene, statement.test)) is False:
            return walk(scene, statement.orelse)
    else:
        over = _gone_over(scene, statement)
        unknown = Unknown(statement.target, "changes in a loop")
        assign(scene, statement.target, Slot(unknown, None), statement)
    before = len(scene.loop.backward)
    _repeat(scene, statement)
    if len(scene.loop.backward) > before:
        note_loop(scene, statement, over)
    if statement.orelse:  # a `break` may pass it by
        _branches(scene, statement, [statement.orelse, ()])
    return True


def _gone_over(scene: Scene, statement: ast.For | ast.AsyncFor) -> Slot | None:
    """A loader that a loop goes over, or the number of its passes."""
    evaluate(scene, statement.iter)
    node = gone_over(statement.iter)
    count = last_of_range(node)
    if count is not None:
        return Slot(evaluate(scene, count), count, statement)
    value = evaluate(scene, node) if isinstance(node, (ast.Name, ast.Attribute)) else None
    return Slot(value, node, statement) if value is not None else None


def _repeat(scene: Scene, statement: ast.For | ast.AsyncFor | ast.While) -> None:
    """Walks a loop's body until another pass changes nothing; what keeps changing is unknown."""
    memory, repeating = scene.memory, scene.repeating
    changed: set[Key] = set()
    for _ in range(MAX_PASSES):
        since = memory.last_owner
        memory.fork()
        goes_on = walk(scene, statement.body)
        overlay = memory.leave()
        if not goes_on:
            break
        changed = memory.join([overlay, {}], statement, since)
        scene.repeating = True
        if not changed or scene.steps > MAX_STEPS:
            break
    memory.blur(changed, statement)
    scene.repeating = repeating


def _try(scene: Scene, statement: Any) -> Flow:
    """The body, or a handler that starts anywhere within the body."""
    memory = scene.memory
    since = memory.last_owner
    memory.fork()
    goes_on = walk(scene, [*statement.body, *statement.orelse])
    body = memory.leave()
    ends = [(body, goes_on)]
    for handler in statement.handlers:
        memory.fork()
        memory.join([body, {}], statement, since)
        goes_on = walk(scene, handler.body)
        ends.append((memory.leave(), goes_on))
    reached = [overlay for overlay, goes_on in ends if goes_on]
    if reached:
        memory.join(reached, statement, since)
    return walk(scene, statement.finalbody) and bool(reached)


def _with(scene: Scene, statement: ast.With | ast.AsyncWith) -> Flow:
    for item in statement.items:
        value = evaluate(scene, item.context_expr)
        if item.optional_vars is not None:
            assign(scene, item.optional_vars, Slot(value, item.context_expr), statement)
    return walk(scene, statement.body)


def _match(scene: Scene, statement: ast.Match) -> Flow:
    evaluate(scene, statement.subject)
    return _branches(scene, statement, [*(case.body for case in statement.cases), ()])


def _expression(scene: Scene, statement: ast.Expr) -> Flow:
    value = evaluate(scene, statement.value)
    return not (isinstance(value, Symbol) and value.name in STOPS)


def _function(scene: Scene, statement: ast.FunctionDef | ast.AsyncFunctionDef) -> Flow:
    visible = tuple(scope for scope in scene.scopes if scope not in scene.class_scopes)
    function = Local(statement, visible)
    scene.functions.append(function)
    scene.bind(statement.name, Slot(function, None, statement))
    return True


def _class(scene: Scene, statement: ast.ClassDef) -> Flow:
    """A class of the script: its attributes are read, its methods walked as functions."""
    bases = [evaluate(scene, base) for base in statement.bases]
    known = (base for base in bases if isinstance(base, Symbol) and classify(base.name).kind)
    inherited = (base.base for base in bases if isinstance(base, Local) and base.base)
    base = next(known, None) or next(inherited, None)
    own = tuple(base for base in bases if isinstance(base, Local))
    away = [one for one in bases if not isinstance(one, Local) and not _is_plain(one)]
    outside, attributes = scene.scopes, scene.memory.new_scope()
    made = Local(statement, outside, attributes, base, own, bool(away))
    scene.scopes, scene.class_scopes[attributes] = (*outside, attributes), made
    walk(scene, statement.body)
    scene.scopes = outside
    instance = scene.memory.new_thing("own", statement.name, ast.Name(statement.name))
    scene.class_of[instance.owner] = made
    for method in statement.body:
        if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)):
            scene.methods[method] = instance
    scene.bind(statement.name, Slot(made, None, statement))
    return True


def _is_plain(base: Value) -> bool:
    """Whether a base class gives its children no attribute."""
    return isinstance(base, Symbol) and base.name in ("builtins.object", "abc.ABC", "enum.Enum")


def _return(scene: Scene, statement: ast.Return) -> Flow:
    value: Value = Known(None, ast.Constant(None, lineno=statement.lineno, col_offset=0))
    if statement.value is not None:
        value = evaluate(scene, statement.value)
    if scene.exits is not None:
        scene.exits.add(scene.memory, value)
    return False


def _raise(scene: Scene, statement: ast.Raise) -> Flow:
    return False


def _assert(scene: Scene, statement: ast.Assert) -> Flow:
    return True


_STEPS: dict[type[ast.stmt], Callable[[Scene, Any], Flow]] = {
    **PLAIN_STEPS,
    ast.If: _if,
    ast.For: _loop,
    ast.AsyncFor: _loop,
    ast.While: _loop,
    ast.Try: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Match: _match,
    ast.Expr: _expression,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.Return: _return,
    ast.Raise: _raise,
}
if hasattr(ast, "TryStar"):
    _STEPS[ast.TryStar] = _try
