"""What does the user's code do with the loss: keep it, divide it, negate it?"""

import ast

from diagnoser.evidence.source.files import Change, replaced
from diagnoser.evidence.source.names import Definition, FunctionNode, within
from diagnoser.evidence.source.statements import Changes, Loop, call_of, is_scaled, method_of, receiver_of, statements

NUMBERS = frozenset({"item", "detach", "cpu", "data"})
"""What a loss is asked for before it is kept."""


def keep_numbers(loop: Loop) -> Changes | None:
    """`loss.item()` in what is added up or collected over the batches."""
    loss = _loss(loop.backward.node)
    if loss is None:
        return None
    kept: list[ast.Name] = []
    for line in statements(loop.function.body, 0):
        value = _kept(line.node)
        if value is None or line.loops == 0:
            continue
        asked = {id(node.value) for node in ast.walk(value) if isinstance(node, ast.Attribute) and node.attr in NUMBERS}
        asked |= {id(argument) for node in ast.walk(value) if isinstance(node, ast.Call) for argument in node.args}
        names = [node for node in ast.walk(value) if isinstance(node, ast.Name) and node.id == loss]
        kept += [name for name in names if id(name) not in asked]
    return tuple(replaced(loop.file, name, f"{loss}.item()") for name in kept) or None


def divide_loss(loop: Loop) -> Changes | None:
    """`(loss / k).backward()`, where `step` waits for every k-th batch."""
    if len(loop.steps) != 1 or _loss(loop.backward.node) is None:
        return None
    guards = [node for node in loop.backward.block if isinstance(node, ast.If) and loop.steps[0].node in node.body]
    every = _every(guards[0].test) if len(guards) == 1 else None
    receiver = receiver_of(loop.backward.node)
    if every is None or not isinstance(receiver, ast.Name):
        return None
    return (replaced(loop.file, receiver, f"({receiver.id} / {loop.file.source(every)})"),)


def descend(loop: Loop) -> Changes | None:
    """`loss.backward()` for `(-loss).backward()`."""
    receiver = receiver_of(loop.backward.node)
    if not isinstance(receiver, ast.UnaryOp) or not isinstance(receiver.op, ast.USub):
        return None
    start, end = loop.file.start(receiver), loop.file.end(receiver)
    if isinstance(receiver.operand, ast.Name) and (loop.file.text[start - 1], loop.file.text[end]) == ("(", ")"):
        return (Change(loop.file, start - 1, end + 1, receiver.operand.id),)
    return (Change(loop.file, start, start + 1, ""),)


def turn_sign(found: Definition | None) -> Changes | None:
    """Without the minus sign of what a loss or a step returns."""
    if found is None or not isinstance(found.node, FunctionNode):
        return None
    returns = [node.value for node in within(found.node) if isinstance(node, ast.Return)]
    value = returns[0] if len(returns) == 1 else None
    if not isinstance(value, ast.UnaryOp) or not isinstance(value.op, ast.USub):
        return None
    start = found.file.start(value)
    return (Change(found.file, start, start + 1, ""),)


def _every(test: ast.expr) -> ast.expr | None:
    """`(i + 1) % k == 0`, maybe or the last batch -> `k`."""
    for part in test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else [test]:
        if not isinstance(part, ast.Compare) or len(part.ops) != 1 or not isinstance(part.ops[0], ast.Eq):
            continue
        is_zero = isinstance(part.comparators[0], ast.Constant) and part.comparators[0].value == 0
        if is_zero and isinstance(part.left, ast.BinOp) and isinstance(part.left.op, ast.Mod):
            return part.left.right if isinstance(part.left.right, ast.Name | ast.Constant) else None
    return None


def _loss(node: ast.stmt) -> str | None:
    """The name of which `backward` is called, also scaled or divided."""
    receiver = receiver_of(node)
    if isinstance(receiver, ast.Call) and is_scaled(node):
        receiver = receiver.args[0]
    if isinstance(receiver, ast.BinOp):
        receiver = receiver.left
    return receiver.id if isinstance(receiver, ast.Name) else None


def _kept(node: ast.stmt) -> ast.expr | None:
    """What a statement adds to a name of its own, or to a list."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add) and isinstance(node.target, ast.Name):
        return node.value
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.BinOp):
        target, left = node.targets[0], node.value.left
        is_sum = isinstance(node.value.op, ast.Add) and isinstance(target, ast.Name) and isinstance(left, ast.Name)
        return node.value.right if is_sum and ast.unparse(target) == ast.unparse(left) else None
    call = call_of(node)
    return call.args[0] if call is not None and method_of(node) == "append" and len(call.args) == 1 else None
