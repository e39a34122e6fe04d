"""Which packages of others does a source import? Read from its text; nothing is imported or executed.

Covers: every `import` and `from ... import`, at the top of a file or inside a function, of the files that the spec's
modules lead to. Does not cover: modules imported by a name that is made at run time, and distributions that a module
needs without importing them. When in doubt a module counts as the user's own, so that nothing is called missing that
is there.
"""

import ast
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from diagnoser.packages.selection import Selection
from diagnoser.records import Record

SPEC = "the spec"
LONGEST = 2_000_000  # bytes; a longer file is data in Python's clothes
EXPECT_IT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}  # what a missing module is caught by
Dotted = tuple[str, ...]


class Import(Record):
    """A top-level module that is not the user's own, and where it is first imported."""

    module: str
    optional: bool  # only where its absence is expected: try/except ImportError
    file: str  # of the source, or the spec
    line: int | None = None  # 1-based; None in the spec


class Imports(Record):
    """All of them, sorted by name; and files that could not be read as Python."""

    modules: tuple[Import, ...]
    unread: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """One imported name of one file."""

    name: Dotted
    line: int
    optional: bool
    relative: bool = False


def third_party(selection: Selection, *, start: Collection[str] = ()) -> Imports:
    """Give what the modules in `start` (dotted names of the spec) import, and what these lead to; all where empty."""
    files = {file.path: Path(selection.folder, file.source) for file in selection.files if file.path.endswith(".py")}
    local = _by_every_suffix(files)
    waiting = sorted({path for name in start for path in _files_of(tuple(name.split(".")), local)} or files)
    seen, unread = set(waiting), []
    found = {name: Import(module=name, optional=False, file=SPEC) for name in _tops(start) if _is_foreign(name, local)}
    while waiting:
        path = waiting.pop(0)
        tree = _parse(files[path])
        if tree is None:
            unread.append(path)
            continue
        for each in sorted(_imported(tree, path=path), key=lambda each: each.line):
            here = sorted(set(_files_of(each.name, local)) - seen)
            seen.update(here)
            waiting += here
            top = each.name[0]
            if not each.relative and _is_foreign(top, local):
                one = Import(module=top, optional=each.optional, file=path, line=each.line)
                found[top] = _sooner(found.get(top), one)
    return Imports(modules=tuple(found[name] for name in sorted(found)), unread=tuple(unread))


def _tops(names: Collection[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _is_foreign(name: str, local: Mapping[Dotted, Collection[str]]) -> bool:
    return (name,) not in local and name not in sys.stdlib_module_names


def _sooner(known: Import | None, one: Import) -> Import:
    """Keep the first place, but rather one where the module must be there."""
    return one if known is None or (known.optional and not one.optional) else known


def _by_every_suffix(files: Collection[str]) -> dict[Dotted, list[str]]:
    """Index the files by each dotted name that some `sys.path` could give them; folders lead to their `__init__`."""
    index: dict[Dotted, list[str]] = {}
    for path in files:
        parts = PurePosixPath(path).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        for first in range(len(parts)):
            index.setdefault(parts[first:], []).append(path)
            for last in range(first + 1, len(parts)):
                index.setdefault(parts[first:last], [])  # a package, with `__init__` or without
    return index


def _files_of(name: Dotted, local: Mapping[Dotted, Collection[str]]) -> Iterator[str]:
    """Give the files that importing a name executes: each package on the way, and the module."""
    for last in range(1, len(name) + 1):
        yield from local.get(name[:last], ())


def _parse(path: Path) -> ast.Module | None:
    try:
        if path.stat().st_size > LONGEST:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the user's escapes and comparisons
            return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imported(tree: ast.Module, *, path: str) -> Iterator[_Found]:
    """Give each imported name, and whether the program can do without it."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, optional = waiting.pop()
        match node:
            case ast.Import(names=names):
                for each in names:
                    yield _Found(tuple(each.name.split(".")), node.lineno, optional)
            case ast.ImportFrom(names=names):
                base, relative = _base(node, path=path), bool(node.level)
                for each in names:  # what is imported may be a module itself
                    yield _Found((*base, each.name), node.lineno, optional, relative)
            case ast.Try() | ast.TryStar() if any(_meets_a_missing_module(handler) for handler in node.handlers):
                waiting += [(each, True) for each in ast.iter_child_nodes(node)]
            case ast.If() if _is_for_others(node.test):
                waiting += [(each, optional) for each in node.orelse]
            case _:
                waiting += [(each, optional) for each in ast.iter_child_nodes(node)]


def _base(node: ast.ImportFrom, *, path: str) -> Dotted:
    """Give the package that `from ... import` starts from; a relative one is found from the file's own folder."""
    named = tuple(node.module.split(".")) if node.module else ()
    if not node.level:
        return named
    folder = PurePosixPath(path).parent.parts
    return (*folder[: len(folder) - node.level + 1], *named)


def _meets_a_missing_module(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in EXPECT_IT for kind in kinds)


def _is_for_others(test: ast.expr) -> bool:
    """Tell whether a block is for type checkers, or for those who start the file as a program."""
    text = ast.unparse(test)
    return text in {"TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'", "'__main__' == __name__"}
