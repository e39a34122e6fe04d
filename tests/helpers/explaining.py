"""What may a rule explain, under any condition? Read from the text of its file, since no test reaches all conditions."""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from rules.registry import Registered

Scope = ast.Module | ast.FunctionDef
GROWING = frozenset({"append", "extend", "insert", "add", "update"})
"""Methods whose argument a list or set then holds."""


@cache
def explained(rule: Registered) -> tuple[str, ...]:
    """Every id that can stand in `explains` of a finding of this rule."""
    module = importlib.import_module(f"{rule.package}.{rule.page.removesuffix('.md')}")
    return explained_in(Path(str(module.__file__)).read_text(encoding="utf-8"))


def explained_in(text: str) -> tuple[str, ...]:
    """The same, of a file's text."""
    tree = ast.parse(text)
    found: set[str] = set()
    scopes: list[Scope] = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]
    for scope in scopes:
        for node in _inside(scope):
            if isinstance(node, ast.keyword) and node.arg == "explains":
                found |= _texts(node.value, scope, tree, seen=frozenset())
    return tuple(sorted(found))


def _texts(node: ast.expr, scope: Scope, tree: ast.Module, *, seen: frozenset[str]) -> set[str]:
    """Every text that this expression can hold: names and functions are followed within the file, conditions are not."""
    if isinstance(node, ast.Constant):
        return {node.value} if isinstance(node.value, str) else set()
    if isinstance(node, ast.IfExp):
        return _texts(node.body, scope, tree, seen=seen) | _texts(node.orelse, scope, tree, seen=seen)
    if isinstance(node, ast.Compare | ast.Attribute | ast.JoinedStr):
        return set()
    if isinstance(node, ast.Subscript):
        return _texts(node.value, scope, tree, seen=seen)
    if isinstance(node, ast.Name):
        if node.id in seen:
            return set()
        held = list(_held(node.id, scope)) or list(_held(node.id, tree))
        return set().union(*(_texts(value, scope, tree, seen=seen | {node.id}) for value in held))
    if isinstance(node, ast.Call) and (function := _function(node, tree)) is not None:
        if function.name in seen:
            return set()
        returned = [inner.value for inner in _inside(function) if isinstance(inner, ast.Return) and inner.value]
        return set().union(*(_texts(value, function, tree, seen=seen | {function.name}) for value in returned))
    parts = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    parts += [child.iter for child in ast.iter_child_nodes(node) if isinstance(child, ast.comprehension)]
    return set().union(*(_texts(part, scope, tree, seen=seen) for part in parts))


def _held(name: str, scope: Scope) -> Iterator[ast.expr]:
    """What is assigned to this name, or added to it, in this scope."""
    for node in _inside(scope):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                yield node.value
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            grows = node.func.attr in GROWING
            if grows and isinstance(node.func.value, ast.Name) and node.func.value.id == name:
                yield from node.args


def _function(call: ast.Call, tree: ast.Module) -> ast.FunctionDef | None:
    name = call.func.id if isinstance(call.func, ast.Name) else None
    return next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name), None)


def _inside(scope: Scope) -> Iterator[ast.AST]:
    """Everything in a scope but the functions in it, which are scopes of their own."""
    waiting: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef):
            yield node
            waiting.extend(ast.iter_child_nodes(node))
