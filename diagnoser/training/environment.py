"""What does the work run on? Versions, device, and the user's code as it was imported."""

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

import torch

from diagnoser.evidence.code import hash_of_code
from diagnoser.evidence.evidence import Environment, Source, SourceEdit
from diagnoser.evidence.source import edits
from diagnoser.training.workload import Workload

GIT_SECONDS = 5.0  # a repository on a slow network share is no reason to wait
ALWAYS = ("torch", "numpy")  # every number comes through them, whoever imported them
_OURS = Path(__file__).resolve().parents[1]
_DEMO = _OURS / "demo"  # a user's project that we ship
_PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


def describe(workload: Workload, *, ours: Iterable[str]) -> Environment:
    """Describe it; `ours` are the modules that were there before the user's code was imported."""
    source = _source(workload.folder)
    return Environment(
        python=platform.python_version(),
        torch=torch.__version__,
        packages=_packages(workload.folder, ours=frozenset(ours)),
        platform=f"{platform.platform()} {platform.node()}",
        device=_device(workload.device),
        cpu_count=os.cpu_count() or 1,
        source=source.model_copy(update={"edits": _edits(workload, source.files)}),
        data_fingerprint=workload.data_fingerprint,
    )


def users_files(folder: Path) -> tuple[str, ...]:
    """List the user's files that are imported by now, relative to their folder, sorted.

    Covers: the folder of the spec, and code elsewhere that is no installed package: on PYTHONPATH, or installed so
    that it can be edited in place. Does not cover: installed packages, which count by version; code in archives.
    """
    home = str(folder.resolve()) + os.sep
    found = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str):
            continue
        if file.startswith(home):
            is_users = not _is_packaged(file[len(home) - 1 :])  # an environment inside the project
        else:
            is_users = not _is_packaged(file) and not _is_of_a_package(name)
        if is_users and (path := Path(file)).is_absolute() and path.is_file() and not _is_ours(path.resolve()):
            found.add(_relative(file, home))
    return tuple(sorted(found))


def _is_ours(file: Path) -> bool:
    return file.is_relative_to(_OURS) and not file.is_relative_to(_DEMO)


@functools.cache
def _package_folders() -> tuple[str, ...]:
    """Where the standard library and packages lie; not the prefix itself, below which people keep projects too."""
    paths = sysconfig.get_paths()
    return tuple({f"{Path(paths[name]).resolve()}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def _is_packaged(file: str) -> bool:
    return file.startswith(_package_folders()) or any(folder in file for folder in _PACKAGES)


def _is_of_a_package(name: str) -> bool:
    """Tell whether a module belongs to an installed package: some write further modules elsewhere (torch.compile)."""
    top = getattr(sys.modules.get(name.partition(".")[0]), "__file__", None)
    return isinstance(top, str) and _is_packaged(top)


def _relative(file: str, home: str) -> str:
    try:
        return Path(os.path.relpath(file, home)).as_posix()
    except ValueError:  # another drive
        return Path(file).as_posix()


def _device(device: torch.device | str) -> str:
    device = torch.device(device)
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({platform.machine()})"


def _source(folder: Path) -> Source:
    files = users_files(folder)
    digest, said = hashlib.sha256(), hashlib.sha256()
    for name in files:
        content = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        said.update(f"{name}\0{hash_of_code(content, name=name)}\0".encode())
    commit = _git(folder, "rev-parse", "HEAD")
    changes = None if commit is None else _git(folder, "status", "--porcelain", "--", ".")
    return Source(
        folder=str(folder),
        hash=digest.hexdigest(),
        code_hash=said.hexdigest(),
        files=files,
        git_commit=commit,
        git_dirty=None if changes is None else bool(changes),
    )


def _edits(workload: Workload, files: Iterable[str]) -> tuple[SourceEdit, ...]:
    return edits.possible(workload.spec, {name: (workload.folder / name).read_bytes() for name in files})


def _git(folder: Path, *words: str) -> str | None:
    """Ask git; None where there is no git, no repository, or no answer."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],  # noqa: S607 (the user's own git, wherever it is)
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=GIT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # leave the user's index alone
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _packages(folder: Path, *, ours: frozenset[str]) -> dict[str, str]:
    """Name the installed packages that the user's code imported, and their versions."""
    home = folder.resolve()
    tops = set(ALWAYS)
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        file = getattr(module, "__file__", None)
        mine = isinstance(file, str) and Path(file).is_relative_to(home) and "site-packages" not in Path(file).parts
        if name not in ours and not mine and file and not top.startswith("_") and top not in sys.stdlib_module_names:
            tops.add(top)
    found: dict[str, str] = {}
    for top in sorted(tops - {"diagnoser"}):
        for distribution in _distributions(top):
            found[distribution] = importlib.metadata.version(distribution)
    return found


def _distributions(top: str) -> tuple[str, ...]:
    """Name what brought a top-level module: mostly a package of that name (reading all metadata takes a while)."""
    try:
        importlib.metadata.version(top)
    except importlib.metadata.PackageNotFoundError:
        return tuple(sorted(set(importlib.metadata.packages_distributions().get(top, ()))))
    return (top,)
