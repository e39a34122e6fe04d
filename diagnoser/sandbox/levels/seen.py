"""What does user code see at a level that hides things? Its own folder, its data, Python and its packages.

All of it read-only, and at the paths at which it lies outside: tracebacks, the edits in a report and the cache name the
user's files, and a link that points to an absolute path still does.
Not seen, though a plain child would: folders on PYTHONPATH, and a package that was installed so that it can be edited
in place and lies outside the folder. Both can be named in `data.paths`.
"""

import os
import site
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from diagnoser.errors import UsageError
from diagnoser.spec.fields import TrainingSpec

PACKAGE = Path(__file__).resolve().parents[2]
SYSTEM = ("/bin", "/etc", "/home", "/lib", "/lib64", "/opt", "/proc", "/run", "/sbin", "/srv", "/sys", "/usr", "/var")
OURS = "DIAGNOSER_"  # variables of ours: tokens and addresses among them
DEVICES = "CUDA_VISIBLE_DEVICES"  # whoever started us may have chosen a card
LANGUAGE = {"LANG": "C.UTF-8", "LOGNAME": "nobody", "PATH": "/usr/bin:/bin"}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Files and variables that one spec's code is let see."""

    folder: Path
    data: tuple[Path, ...]
    python: tuple[Path, ...]
    variables: Mapping[str, str]
    cuda: bool  # the GPUs too

    @property
    def read_only(self) -> tuple[Path, ...]:
        """All paths, as they are called and as they are, whatever contains another first."""
        paths = {way for path in (self.folder, *self.data, *self.python) for way in _ways(path)}
        return tuple(sorted(paths, key=lambda path: (len(path.parts), str(path))))

    def shows(self, file: str) -> bool:
        """Tell whether a file lies where the code could read it anyway."""
        try:
            real = Path(file).resolve()
        except (OSError, ValueError, RuntimeError):  # a loop of links, or no path at all
            return False
        return any(real.is_relative_to(path.resolve()) for path in (self.folder, *self.data, *self.python))


def seen_by(spec: TrainingSpec, folder: Path, *, given: Mapping[str, str]) -> Seen:
    """What this spec's code sees; `given` are the variables that it may choose from by `environment`.

    Raises UsageError for a folder that would show everything, and for one that is not there.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 (resolve would follow links, and tracebacks name other paths)
    data = tuple(Path(os.path.abspath(folder / Path(path).expanduser())) for path in spec.data.paths)  # noqa: PTH100
    for path in (folder, *data):
        if not path.exists():
            raise UsageError(f"data.paths: {path} is not there")
        if _shows_too_much(path.resolve()):
            raise UsageError(
                f"at this sandbox level your code would see all of {path}; move the spec and its code, or the data, "
                "into a folder of their own"
            )
    variables = {name: given[name] for name in spec.environment if name in given and not name.startswith(OURS)}
    if DEVICES in given:
        variables[DEVICES] = given[DEVICES]
    cuda = spec.device != "cpu" and Path("/dev/nvidiactl").exists()
    return Seen(folder=folder, data=data, python=python_and_packages(), variables={**LANGUAGE, **variables}, cuda=cuda)


def python_and_packages() -> tuple[Path, ...]:
    """The interpreter with its links, its packages, and of ours the one package that the child needs."""
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    paths = [Path(prefix) for prefix in prefixes]
    link = Path(sys.executable)
    while True:  # each link may lie in another folder
        paths.append(link.parent.parent)
        if not link.is_symlink():
            break
        link = link.parent / link.readlink()
    if site.ENABLE_USER_SITE and Path(site.getusersitepackages()).is_dir():
        paths.append(Path(site.getusersitepackages()))
    paths = [path for path in paths if not _shows_too_much(path.resolve())]
    outermost = [path for path in paths if not any(path != other and path.is_relative_to(other) for other in paths)]
    return tuple(dict.fromkeys([*outermost, PACKAGE]))


def _ways(path: Path) -> Iterable[Path]:
    return {path, path.resolve()}


def _shows_too_much(path: Path) -> bool:
    """Tell whether a folder holds everybody's things: the root, a home folder, or what the system keeps."""
    homes = (Path.home().resolve(), Path(tempfile.gettempdir()).resolve())
    return str(path) in SYSTEM or any(home.is_relative_to(path) for home in homes)
