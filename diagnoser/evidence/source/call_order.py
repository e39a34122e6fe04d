"""Which call of the user's loop is missing, or stands in the wrong place?"""

import ast

from diagnoser.evidence.source.files import before, behind, moved
from diagnoser.evidence.source.names import FunctionNode, within
from diagnoser.evidence.source.statements import (
    Changes,
    Line,
    Loop,
    function_of,
    is_about,
    is_scaled,
    method_of,
    only,
    owner,
    statements,
)

AFTER_BACKWARD = frozenset({"clip_grad_norm_", "clip_grad_value_"})
"""Calls that belong between `backward` and `step`."""


def clear_gradients(loop: Loop) -> Changes | None:
    """`zero_grad` in the line before `backward`: put there, or moved there; behind `step` where batches accumulate."""
    if len(loop.steps) != 1 or _stores_grad(loop.function):
        return None
    (step,), backward = loop.steps, loop.backward
    clears = _clears(loop)
    code = f"{loop.optimizer}.zero_grad()"
    together = step.block is backward.block and step.number > backward.number
    accumulates = not together and step.loops == backward.loops and step.node.lineno > backward.node.lineno
    if clears is None or not (together or accumulates):
        return None
    if not clears:
        return only(before(loop.file, backward.node, code) if together else behind(loop.file, step.node, code))
    wiping = [
        clear
        for clear in clears
        if clear.block is step.block and backward.node.lineno < clear.node.lineno < step.node.lineno
    ]
    if len(wiping) == 1 and accumulates:
        return moved(loop.file, wiping[0].node, behind, step.node)
    is_outside = len(clears) == 1 and clears[0].loops < backward.loops
    wrong = wiping if len(wiping) == 1 and len(clears) == 1 else clears if is_outside else []
    return moved(loop.file, wrong[0].node, before, backward.node) if wrong and together else None


def step_optimizer(loop: Loop) -> Changes | None:
    """`step` between `backward`, with the clipping that follows it, and the next `zero_grad`."""
    called = [node for node in within(loop.function) if isinstance(node, ast.Attribute) and node.attr == "step"]
    if any(isinstance(node.value, ast.Name) and node.value.id == loop.optimizer for node in called):
        return None
    clears, backward = _clears(loop), loop.backward
    if loop.steps or is_scaled(backward.node) or not clears:
        return None
    code = f"{loop.optimizer}.step()"
    inside = [clear for clear in clears if clear.loops == backward.loops]
    if len(inside) != 1:
        return None
    (clear,) = inside
    if clear.node.lineno > backward.node.lineno:
        return only(before(loop.file, clear.node, code))
    if clear.block is not backward.block:
        return None
    last = backward.node
    for node in backward.block[backward.number + 1 :]:
        if not _clips(node):
            break
        last = node
    return only(behind(loop.file, last, code))


def clip_before_step(loop: Loop) -> Changes | None:
    """The clipping between `backward` and `step` of the same block."""
    clips = [line for line in statements(loop.function.body, 0) if _clips(line.node)]
    if len(loop.steps) != 1 or len(clips) != 1 or is_scaled(loop.backward.node):
        return None
    (step,), (clip,) = loop.steps, clips
    if clip.block is not step.block or step.block is not loop.backward.block or step.number < loop.backward.number:
        return None
    right = loop.backward.number < clip.number < step.number
    return None if right else moved(loop.file, clip.node, before, step.node)


def schedule_after_step(loop: Loop) -> Changes | None:
    """`scheduler.step()` behind `optimizer.step()` of the same block."""
    if len(loop.steps) != 1:
        return None
    (step,) = loop.steps
    others = [
        line
        for line in statements(loop.function.body, 0)
        if method_of(line.node) == "step"
        and not is_about(line.node, loop.optimizer)
        and owner(line.node) == "scheduler"
    ]
    if len(others) != 1 or others[0].block is not step.block or others[0].number > step.number:
        return None
    return moved(loop.file, others[0].node, behind, step.node)


def _clears(loop: Loop) -> list[Line] | None:
    """All `zero_grad`; None where one is not a statement of its own."""
    found = [line for line in statements(loop.function.body, 0) if method_of(line.node) == "zero_grad"]
    calls = [node for node in within(loop.function) if isinstance(node, ast.Attribute) and node.attr == "zero_grad"]
    return found if len(found) == len(calls) else None


def _clips(node: ast.stmt) -> bool:
    return method_of(node) in AFTER_BACKWARD or function_of(node) in AFTER_BACKWARD


def _stores_grad(function: FunctionNode) -> bool:
    """Gradients are cleared by hand."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == "grad" and isinstance(node.ctx, ast.Store)
        for node in within(function)
    )
