"""What does a name in the user's files stand for? Told where it is certain, from imports and definitions alone."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from diagnoser.evidence.source.files import File

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
NEW_NAMES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
PLACED = frozenset({"to", "cuda", "float", "double", "cpu"})
"""`Net().to(device)` is a `Net`."""
MOST_HOPS = 5  # imports from one file of the user's to the next


@dataclass(frozen=True)
class Definition:
    """A function or class, or the `nn.Sequential(...)` that a function returns, and the file it stands in."""

    file: File
    node: FunctionNode | ast.ClassDef | ast.Call


@dataclass(frozen=True)
class Project:
    """The user's files, by their names relative to the spec's folder."""

    files: Mapping[str, File]

    @cached_property
    def imports(self) -> dict[str, dict[str, str]]:
        """Of each file: what its imported names stand for, where nothing else takes the name."""
        return {name: _imports(file) for name, file in self.files.items()}

    def full_name(self, file: File, node: ast.expr) -> str | None:
        """`nn.Linear` -> "torch.nn.Linear"; None for what no import brought."""
        if isinstance(node, ast.Name):
            return self.imports[file.name].get(node.id)
        if isinstance(node, ast.Attribute):
            inner = self.full_name(file, node.value)
            return None if inner is None else f"{inner}.{node.attr}"
        return None

    def called(self, file: File, node: ast.expr | None) -> str | None:
        """The full name of what a call calls."""
        return self.full_name(file, node.func) if isinstance(node, ast.Call) else None

    def find(self, reference: str) -> Definition | None:
        """What `module:attr` names, if it is defined in one place of the user's files."""
        module, _, attribute = reference.partition(":")
        for _ in range(MOST_HOPS):
            path = module.replace(".", "/")
            file = self.files.get(f"{path}.py") or self.files.get(f"{path}/__init__.py")
            if file is None or not attribute.isidentifier():
                return None
            own = [node for node in file.tree.body if isinstance(node, NEW_NAMES) and _name(node) == attribute]
            if own:
                node = own[0]
                is_one = len(own) == 1 and isinstance(node, FunctionNode | ast.ClassDef)
                return Definition(file, node) if is_one else None
            module, _, attribute = self.imports[file.name].get(attribute, "").rpartition(".")
        return None

    def defined(self, file: File, node: ast.expr | None) -> Definition | None:
        """The class of the user's that a call makes."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
            return None
        module = file.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        full = self.full_name(file, node.func)
        if full is None and isinstance(node.func, ast.Name):
            full = f"{module}.{node.func.id}"
        found = self.find(":".join((full or "").rsplit(".", 1)))
        return found if found is not None and isinstance(found.node, ast.ClassDef) else None

    def model(self, reference: str) -> Definition | None:
        """The class, or the `nn.Sequential(...)`, that a model factory gives."""
        found = self.find(reference)
        if found is None or isinstance(found.node, ast.ClassDef):
            return found
        assert not isinstance(found.node, ast.Call)
        made = returned(found.node)
        if isinstance(made, ast.Call) and self.called(found.file, made) == "torch.nn.Sequential":
            return Definition(found.file, made)
        return self.defined(found.file, made)

    def classes(self) -> Iterator[tuple[File, ast.ClassDef]]:
        """The user's classes that derive from a module of torch's, as their own line says."""
        for file in self.files.values():
            for node in ast.walk(file.tree):
                if isinstance(node, ast.ClassDef) and any(self._is_module(file, base) for base in node.bases):
                    yield file, node

    def _is_module(self, file: File, base: ast.expr) -> bool:
        return (self.full_name(file, base) or "").startswith("torch.nn.")


def method(node: ast.ClassDef, name: str) -> FunctionNode | None:
    """The one method of that name."""
    found = [item for item in node.body if isinstance(item, FunctionNode) and item.name == name]
    return found[0] if len(found) == 1 else None


def within(node: ast.AST) -> Iterator[ast.AST]:
    """All that belongs to a function itself, without the functions and classes that are defined in it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, NEW_NAMES):
            yield from within(child)


def returned(function: FunctionNode) -> ast.expr | None:
    """What the one `return` of a function gives, looked through one name and a move to a device."""
    returns = [node for node in within(function) if isinstance(node, ast.Return)]
    value = _unplaced(returns[0].value) if len(returns) == 1 else None
    return _unplaced(_given(function, value.id)) if isinstance(value, ast.Name) else value


def _given(function: FunctionNode, name: str) -> ast.expr | None:
    """What a name of a function stands for, if it is set once."""
    stored = [node for node in within(function) if isinstance(node, ast.Name) and node.id == name and _is_stored(node)]
    given = [node for node in within(function) if isinstance(node, ast.Assign) and node.targets == stored]
    return given[0].value if len(given) == 1 else None


def _unplaced(node: ast.expr | None) -> ast.expr | None:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PLACED:
        node = node.func.value
    return node


def attribute(node: ast.ClassDef, name: str) -> ast.expr | None:
    """What `self.name` is set to, if the class sets it once."""
    given = [
        item
        for item in ast.walk(node)
        if isinstance(item, ast.Assign | ast.AnnAssign | ast.AugAssign)
        and any(own_attribute(target) == name for target in _targets(item))
    ]
    return given[0].value if len(given) == 1 and isinstance(given[0], ast.Assign | ast.AnnAssign) else None


def own_attribute(node: ast.AST) -> str | None:
    """`self.name` -> "name"."""
    is_own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    return node.attr if is_own and isinstance(node, ast.Attribute) else None


def _targets(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _imports(file: File) -> dict[str, str]:
    package = file.name.split("/")[:-1]
    found: dict[str, set[str]] = {}
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                found.setdefault(name, set()).add(alias.name if alias.asname else name)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                found.setdefault(alias.asname or alias.name, set()).add(f"{module}.{alias.name}")
    taken = {node.id for node in ast.walk(file.tree) if isinstance(node, ast.Name) and _is_stored(node)}
    taken |= {node.arg for node in ast.walk(file.tree) if isinstance(node, ast.arg)}
    return {name: full.pop() for name, full in found.items() if len(full) == 1 and name not in taken}


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store | ast.Del)


def _name(node: ast.AST) -> str | None:
    return getattr(node, "name", None)
