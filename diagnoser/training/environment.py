"""What does the work run on? Versions, device, and the user's code as it was imported."""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from diagnoser.evidence.evidence import Environment, Source
from diagnoser.training import resolve
from diagnoser.training.workload import Workload

GIT_SECONDS = 5.0  # a repository on a slow network share is no reason to wait
ALWAYS = ("torch", "numpy")  # every number comes through them, whoever imported them
_OURS = Path(__file__).resolve().parents[1]
_DEMO = _OURS / "demo"  # a user's project that we ship


def describe(workload: Workload, *, ours: Iterable[str]) -> Environment:
    """Describe it; `ours` are the modules that were there before the user's code was imported."""
    return Environment(
        python=platform.python_version(),
        torch=torch.__version__,
        packages=_packages(workload.folder, ours=frozenset(ours)),
        platform=f"{platform.platform()} {platform.node()}",
        device=_device(workload.device),
        cpu_count=os.cpu_count() or 1,
        source=_source(workload.folder),
        data_fingerprint=workload.data_fingerprint,
    )


def users_files(folder: Path) -> tuple[str, ...]:
    """List the user's files that are imported by now, relative to their folder."""
    names = resolve.imported_files(folder)
    return tuple(name for name in names if not _is_ours(folder.resolve() / name))


def _is_ours(file: Path) -> bool:
    return file.is_relative_to(_OURS) and not file.is_relative_to(_DEMO)


def _device(device: torch.device | str) -> str:
    device = torch.device(device)
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({platform.machine()})"


def _source(folder: Path) -> Source:
    files = users_files(folder)
    digest = hashlib.sha256()
    for name in files:
        content = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    commit = _git(folder, "rev-parse", "HEAD")
    changes = None if commit is None else _git(folder, "status", "--porcelain", "--", ".")
    return Source(
        folder=str(folder),
        hash=digest.hexdigest(),
        files=files,
        git_commit=commit,
        git_dirty=None if changes is None else bool(changes),
    )


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
