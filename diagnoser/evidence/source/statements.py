"""How does the user's own loop read? Its statements, and the calls that every loop makes."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from diagnoser.evidence.source.files import Change, File
from diagnoser.evidence.source.names import NEW_NAMES, Definition, FunctionNode, within

Changes = tuple[Change, ...]


class Line(NamedTuple):
    """A statement, the block that it stands in, and the loops round it."""

    node: ast.stmt
    block: list[ast.stmt]
    loops: int

    @property
    def number(self) -> int:
        """Its place in its block."""
        return next(number for number, one in enumerate(self.block) if one is self.node)


class Loop(NamedTuple):
    """The user's loop, as far as it is plain: one `backward`, and at most one `step`."""

    file: File
    function: FunctionNode
    model: str
    optimizer: str
    backward: Line
    steps: tuple[Line, ...]


def read(found: Definition | None) -> Loop | None:
    """Read `(model, optimizer, batches, ...)`; None where there is not exactly one `backward` in it."""
    if found is None or not isinstance(found.node, FunctionNode) or len(found.node.args.args) < 2:
        return None
    model, optimizer = (argument.arg for argument in found.node.args.args[:2])
    lines = list(statements(found.node.body, 0))
    backwards = [line for line in lines if method_of(line.node) == "backward"]
    calls = [node for node in within(found.node) if isinstance(node, ast.Attribute) and node.attr == "backward"]
    if len(backwards) != 1 or len(calls) != 1:
        return None
    steps = tuple(line for line in lines if method_of(line.node) == "step" and is_about(line.node, optimizer))
    return Loop(found.file, found.node, model, optimizer, backwards[0], steps)


def statements(block: list[ast.stmt], loops: int) -> Iterator[Line]:
    """All statements of a function, those of functions inside it left out."""
    for node in block:
        yield Line(node, block, loops)
        if isinstance(node, NEW_NAMES):
            continue
        deeper = loops + isinstance(node, ast.For | ast.While | ast.AsyncFor)
        inner = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
        inner += [handler.body for handler in getattr(node, "handlers", [])]
        for each in inner:
            yield from statements(each, deeper)


def first_statement(function: FunctionNode) -> ast.stmt:
    """The first statement below the docstring."""
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return function.body[1] if is_docstring and len(function.body) > 1 else first


def call_of(node: ast.stmt) -> ast.Call | None:
    """The call that a statement is."""
    return node.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None


def method_of(node: ast.stmt) -> str | None:
    call = call_of(node)
    return call.func.attr if call is not None and isinstance(call.func, ast.Attribute) else None


def function_of(node: ast.stmt) -> str | None:
    call = call_of(node)
    return call.func.id if call is not None and isinstance(call.func, ast.Name) else None


def receiver_of(node: ast.stmt) -> ast.expr | None:
    call = call_of(node)
    return call.func.value if call is not None and isinstance(call.func, ast.Attribute) else None


def owner(node: ast.stmt) -> str | None:
    receiver = receiver_of(node)
    return receiver.id if isinstance(receiver, ast.Name) else None


def is_about(node: ast.stmt, optimizer: str) -> bool:
    """`optimizer.step()`, or `scaler.step(optimizer)`."""
    call = call_of(node)
    given = call.args[:1] if call is not None else []
    return owner(node) == optimizer or any(isinstance(one, ast.Name) and one.id == optimizer for one in given)


def is_scaled(node: ast.stmt) -> bool:
    """`scaler.scale(loss).backward()`: such a step is the scaler's to make."""
    receiver = receiver_of(node)
    if not isinstance(receiver, ast.Call) or not isinstance(receiver.func, ast.Attribute):
        return False
    return receiver.func.attr == "scale" and len(receiver.args) == 1


def only(change: Change | None) -> Changes | None:
    return None if change is None else (change,)
