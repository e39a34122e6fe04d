"""Where is the user's code: `module:attr` turned into the object, relative to the folder of the spec."""

import functools
import importlib
import inspect
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from diagnoser.errors import UserCodeError
from diagnoser.training.failures import USER_STOPS, user_code_error


def import_attribute(reference: str, *, folder: Path) -> Any:
    """Import `module:attr` (attr may be dotted) with the spec's folder first on the path. Raises UserCodeError."""
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise UserCodeError(
            f"{reference!r} is no import path: write it as module:attr, for example project:build_model"
        )
    module = _import(module_name, folder=folder, reference=reference)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = ", ".join(name for name in vars(module) if not name.startswith("_"))[:300]
            raise UserCodeError(f"{reference}: {module_name!r} has no {attribute!r}; it has: {names}")
        found = getattr(found, part)
    return found


def bound(found: Any, args: Mapping[str, Any]) -> Callable[..., Any]:
    """Make a callable of what was imported: a class is built with `args` first, a function gets them at each call."""
    if inspect.isclass(found):
        build: Any = found
        built: Callable[..., Any] = build(**args)
        return built
    return functools.partial(found, **args) if args else found


def parameters_of(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """Name the parameters of a callable; None when it takes any keyword or cannot be inspected."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
        return None
    return tuple(signature.parameters)


def imported_files(folder: Path) -> tuple[str, ...]:
    """List the files of the spec's folder that were really imported, relative to it, sorted."""
    home = folder.resolve()
    found = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and Path(file).is_relative_to(home):
            path = Path(file).relative_to(home)
            if "site-packages" not in path.parts:  # an environment inside the project
                found.add(path.as_posix())
    return tuple(sorted(found))


def _import(module_name: str, *, folder: Path, reference: str) -> Any:
    home = str(folder.resolve())
    known = sys.modules.get(module_name)
    if known is not None and _is_below(known, home):
        return known  # a model is built for every trial, and a look at all modules takes longer
    if not sys.path or sys.path[0] != home:
        if home in sys.path:
            sys.path.remove(home)
        sys.path.insert(0, home)
    _forget_namesakes(Path(home))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module_name)
    except USER_STOPS as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
            raise UserCodeError(
                f"{reference}: there is no module {error.name!r} in {folder} and none is installed"
            ) from error
        raise user_code_error(f"{reference}: importing {module_name!r} failed", error) from error


def _is_below(module: ModuleType, home: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and Path(file).is_relative_to(home)


def _forget_namesakes(home: Path) -> None:
    """Drop modules of another project that bear the name of a module of this one; installed packages stay."""
    own = {path.stem for path in home.glob("*.py")} | {path.parent.name for path in home.glob("*/__init__.py")}
    own.discard("diagnoser")
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] not in own or not isinstance(file, str):
            continue
        if not Path(file).is_relative_to(home) and not _is_installed(file):
            del sys.modules[name]


@functools.cache
def _installed_folders() -> tuple[str, ...]:
    return tuple({str(Path(path).resolve()) for path in sysconfig.get_paths().values()})


def _is_installed(file: str) -> bool:
    return file.startswith(_installed_folders()) or "site-packages" in file
