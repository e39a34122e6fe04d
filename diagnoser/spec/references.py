"""Does `module:attr` name something that can be there? Looked up without importing or executing anything.

Covers: the syntax, a module that is nowhere, a name that a local file plainly does not have. Does not cover: modules
inside installed packages, names that a file makes while it runs.
"""

import ast
import importlib.util
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from diagnoser.spec.names import nearest
from diagnoser.spec.words import quoted

MAX_LISTED = 8  # files or names that a message shows
MAX_SOURCE_BYTES = 2_000_000  # a longer file is not read for its names

Problem = tuple[str, str | None]  # message, hint

# What makes names that cannot be seen by reading.
_HIDES_NAMES = ("exec", "eval", "globals", "setattr", "vars")


def check_syntax(reference: str, *, example: str) -> Problem | None:
    """Say what is wrong with the writing of a `module:attr`."""
    module, colon, attribute = reference.partition(":")
    if colon and _is_path(module) and _is_path(attribute) and not module.endswith(".py"):
        return None
    expected = f"expected `module:attr` such as `{example}`, found {quoted(reference)}"
    guess = _guess(reference)
    return expected, None if guess is None else f"did you mean `{guess}`?"


def _guess(reference: str) -> str | None:
    """Write the reference as it was probably meant."""
    text = reference.strip().removesuffix("()").removeprefix("./")
    if ":" not in text:
        module, _, attribute = text.rpartition(".")
        if attribute == "py":
            return None
    else:
        module, _, attribute = text.partition(":")
    module = module.strip().removesuffix(".py").replace("/", ".").replace("\\", ".").strip(".")
    attribute = attribute.strip().strip(":")
    return f"{module}:{attribute}" if _is_path(module) and _is_path(attribute) else None


def _is_path(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def check_exists(reference: str, *, folder: Path) -> Problem | None:
    """Say that the module is nowhere, or that its file has no such name; None when both may be there."""
    module, _, attribute = reference.partition(":")
    parts = module.split(".")
    top = parts[0]
    if not _is_local(folder, top):
        return None if _is_installed(top) else _no_module(module, attribute, folder=folder)
    here = folder
    for index, part in enumerate(parts):
        if (here / f"{part}.py").is_file() and index == len(parts) - 1 and not (here / part / "__init__.py").is_file():
            return _check_name(here / f"{part}.py", module=module, attribute=attribute)
        if not (here / part).is_dir():
            where = "the folder of the spec" if here == folder else f"`{'/'.join(parts[:index])}`"
            return _no_file(
                f"there is no module `{part}` in {where}", part, folder=here, prefix=parts[:index], attribute=attribute
            )
        here /= part
    return (
        _check_name(here / "__init__.py", module=module, attribute=attribute)
        if (here / "__init__.py").is_file()
        else None
    )


def _is_local(folder: Path, top: str) -> bool:
    return (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file() or _has_python(folder / top)


def _has_python(folder: Path) -> bool:
    return folder.is_dir() and next(folder.glob("*.py"), None) is not None


def _is_installed(top: str) -> bool:
    if top in sys.builtin_module_names:
        return True
    try:
        if importlib.util.find_spec(top) is not None:
            return True
    except (ImportError, ValueError, AttributeError):
        return True  # it is there, in a form that cannot be looked at
    elsewhere = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return PathFinder.find_spec(top, elsewhere) is not None


def _no_module(module: str, attribute: str, *, folder: Path) -> Problem:
    message = f"there is no module `{module.partition('.')[0]}` in the folder of the spec, nor is one installed"
    return _no_file(message, module, folder=folder, prefix=[], attribute=attribute)


def _no_file(message: str, wanted: str, *, folder: Path, prefix: list[str], attribute: str) -> Problem:
    there = _modules_in(folder)
    if not there:
        return f"{message}; no Python file lies in {folder}", "start from the folder that holds your code"
    listed = ", ".join(f"{name}.py" if (folder / f"{name}.py").is_file() else f"{name}/" for name in there[:MAX_LISTED])
    more = f" and {len(there) - MAX_LISTED} more" if len(there) > MAX_LISTED else ""
    close = nearest(wanted.partition(".")[0], there)
    if close is None and not prefix:
        holders = [name for name in there if attribute in (names_in(folder / f"{name}.py") or ())]
        close = holders[0] if len(holders) == 1 else None
    hint = None if close is None else f"did you mean `{'.'.join((*prefix, close))}:{attribute}`?"
    return f"{message}; the Python files there: {listed}{more}", hint


def _modules_in(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    files = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    return sorted(name for name in files | packages if name.isidentifier())


def _check_name(file: Path, *, module: str, attribute: str) -> Problem | None:
    names = names_in(file)
    first = attribute.partition(".")[0]
    if names is None or first in names:
        return None
    close = nearest(first, names)
    callables = [name for name in names if not name.startswith("_")]
    listed = ", ".join(f"`{name}`" for name in callables[:MAX_LISTED])
    message = f"`{file.name}` has no `{first}`"
    if close is not None:
        return message, f"did you mean `{module}:{close}`?"
    return f"{message}; it has {listed}" if listed else f"{message}; it defines nothing", None


def names_in(file: Path) -> tuple[str, ...] | None:
    """List the names that a file binds at its top level, functions and classes first; None when reading cannot tell."""
    try:
        if file.stat().st_size > MAX_SOURCE_BYTES:
            return None
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # the user's own Python says it better
    callables: dict[str, None] = {}
    others: dict[str, None] = {}
    waiting: list[ast.AST] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            callables[node.name] = None
            continue  # what is inside is not at the top level
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if alias.name == "*":
                    return None
                others[alias.asname or alias.name.partition(".")[0]] = None
        elif isinstance(node, ast.Name):
            if node.id in _HIDES_NAMES:
                return None
            if isinstance(node.ctx, ast.Store):
                others[node.id] = None
        waiting.extend(reversed(list(ast.iter_child_nodes(node))))
    return None if "__getattr__" in callables else (*callables, *(name for name in others if name not in callables))
