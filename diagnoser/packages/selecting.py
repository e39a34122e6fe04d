"""Which files of a folder belong to the package of a spec?

The source: everything but history, environments, caches, secrets, checkpoints, logs, and what `.gitignore` names.
`.diagnoserignore` has the last word on all but history, environments and cache folders: it leaves out more, and takes
back with `!` (a secret only by a line that names it letter by letter). The spec itself always belongs to it.
"""

import os
import stat
import unicodedata
from collections.abc import Collection, Mapping
from enum import Enum, auto
from pathlib import Path

from diagnoser.errors import UsageError
from diagnoser.packages import ignoring, leaving_out, links
from diagnoser.packages.ignoring import GIT, OURS, IgnoreFile, Verdict
from diagnoser.packages.leaving_out import Kind
from diagnoser.packages.names import DEEPEST, printable, problem_with, same_for_some_systems
from diagnoser.packages.selection import ChosenFile, LeftOut, Selection

MOST_SEEN = 100_000  # files: twenty times what a package may have; beyond it the folder is somebody's home

Chain = tuple[IgnoreFile, ...]


class State(Enum):
    """What a folder hands down to what is in it."""

    PLAIN = auto()
    LEFT_OUT = auto()  # only what a line of `.diagnoserignore` takes back
    TAKEN_BACK = auto()  # all but secrets and what a line of `.diagnoserignore` leaves out


def select(spec: Path, *, data_paths: Collection[Path] = (), archive: Path | None = None) -> Selection:
    """Choose the files of the folder that a spec lies in, without its data paths and the archive that is to be written.

    Raises UsageError where the folder cannot be packed at all; sizes are `check_size`'s affair.
    """
    spec = spec.resolve()
    folder = spec.parent
    outside = {path.resolve(): Kind.DATA_PATH for path in data_paths}
    if archive is not None:
        outside[archive.resolve()] = Kind.OWN
    walk = _Walk(folder, spec=spec.name, outside=outside)
    walk.enter("", git=ignoring.above(folder), ours=(), state=State.PLAIN)
    walk.add_links()
    if not any(file.path == unicodedata.normalize("NFC", spec.name) for file in walk.files):
        raise UsageError(f"{spec}: the spec itself cannot be packed")
    _refuse_doubles(walk.files)
    return Selection(
        folder=str(folder),
        files=tuple(sorted(walk.files, key=lambda file: file.path)),
        left_out=tuple(sorted(walk.left_out, key=lambda each: each.path)),
        taken_back=tuple(sorted(walk.taken_back)),
    )


class _Walk:
    """What was found so far on a walk through a folder."""

    def __init__(self, folder: Path, *, spec: str, outside: Mapping[Path, Kind]) -> None:
        self.files: list[ChosenFile] = []
        self.left_out: list[LeftOut] = []
        self.taken_back: list[str] = []
        self._links: list[str] = []
        self._folder = folder
        self._spec = spec
        self._outside = outside

    def enter(self, path: str, *, git: Chain, ours: Chain, state: State) -> None:
        """Look through a folder; `path` ends with a slash, or is empty."""
        here = self._folder / path
        try:
            found = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            self._leave(path, Kind.UNREADABLE, error.strerror or "")
            return
        git = _with(git, ignoring.read(here, GIT, below=path))
        ours = _with(ours, ignoring.read(here, OURS, below=path))
        for entry in found:
            below = path + entry.name
            kind = self._outside.get(self._folder / below)
            if kind is not None:
                self._leave(below + "/" * entry.is_dir(follow_symlinks=False), kind)
            elif entry.is_dir(follow_symlinks=False):
                self._folder_found(below + "/", entry.name, git=git, ours=ours, state=state)
            else:
                self._file_found(below, entry, git=git, ours=ours, state=state)

    def _folder_found(self, path: str, name: str, *, git: Chain, ours: Chain, state: State) -> None:
        try:
            holds = {each.name for each in (self._folder / path).iterdir()}
        except OSError as error:
            self._leave(path, Kind.UNREADABLE, error.strerror or "")
            return
        never = leaving_out.folder_kind(name, holds=holds)
        if never is not None:
            self._leave(path, never)
            return
        if path.count("/") >= DEEPEST:
            self._leave(path, Kind.NAME, f"what is in it lies deeper than {DEEPEST} folders")
            return
        inside = self._state_of(path, name, git=git, ours=ours, state=state, holds=holds)
        if inside is not State.LEFT_OUT or ignoring.takes_back_below(ours, path):
            self.enter(path, git=git, ours=ours, state=inside)

    def _state_of(
        self, path: str, name: str, *, git: Chain, ours: Chain, state: State, holds: Collection[str]
    ) -> State:
        said = ignoring.verdict(ours, path)
        if said is not None and not said.leaves_out:
            return State.TAKEN_BACK
        if state is State.LEFT_OUT:
            return state  # told with the folder above
        if said is not None:
            self._leave(path, Kind.IGNORED, said.line)
            return State.LEFT_OUT
        if state is State.TAKEN_BACK:
            return state
        ignored = ignoring.verdict(git, path)
        if ignored is not None and ignored.leaves_out:
            self._leave(path, Kind.IGNORED_BY_GIT, ignored.line)
            return State.LEFT_OUT
        if leaving_out.is_log_folder(name, holds=holds):
            self._leave(path, Kind.LOG)
            return State.LEFT_OUT
        return State.PLAIN

    def _file_found(self, path: str, entry: os.DirEntry[str], *, git: Chain, ours: Chain, state: State) -> None:
        if path != self._spec:
            said = ignoring.verdict(ours, path)
            taken_back = said is not None and not said.leaves_out
            if state is State.LEFT_OUT and not taken_back:
                return  # told with its folder
            if said is not None and said.leaves_out:
                self._leave(path, Kind.IGNORED, said.line)
                return
            if leaving_out.is_secret(entry.name) and self._is_kept_back(path, said):
                return
            if not taken_back and state is State.PLAIN and self._is_no_source(path, entry.name, git=git):
                return
        self._add(path, entry, ours=ours)

    def _is_kept_back(self, path: str, said: Verdict | None, *, because: str = "") -> bool:
        """Leave a secret out, unless the user's own line names it."""
        if said is not None and not said.leaves_out and said.names_it:
            self.taken_back.append(path)
            return False
        self._leave(path, Kind.SECRET, because)
        return True

    def _is_no_source(self, path: str, name: str, *, git: Chain) -> bool:
        kind = leaving_out.file_kind(name)
        if kind is not None:
            self._leave(path, kind)
            return True
        ignored = ignoring.verdict(git, path)
        if ignored is not None and ignored.leaves_out:
            self._leave(path, Kind.IGNORED_BY_GIT, ignored.line)
            return True
        return False

    def _add(self, path: str, entry: os.DirEntry[str], *, ours: Chain) -> None:
        if entry.is_symlink():
            self._links.append(path)
            return
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            self._leave(path, Kind.UNREADABLE, error.strerror or "")
            return
        if not stat.S_ISREG(status.st_mode):
            self._leave(path, Kind.SPECIAL)
            return
        name = unicodedata.normalize("NFC", path)
        problem = problem_with(name)
        if problem is not None:
            self._leave(path, Kind.NAME, problem)
            return
        try:
            holds_key = path != self._spec and path not in self.taken_back and leaving_out.holds_private_key(entry)
        except OSError as error:
            self._leave(path, Kind.UNREADABLE, error.strerror or "")
            return
        if holds_key and self._is_kept_back(path, ignoring.verdict(ours, path), because="it holds a private key"):
            return
        executable = bool(status.st_mode & stat.S_IXUSR)
        self.files.append(ChosenFile(path=name, source=path, bytes=status.st_size, executable=executable))
        if len(self.files) > MOST_SEEN:
            raise UsageError(
                f"{self._folder} has more than {MOST_SEEN:,} files: is it the folder of the source? Name in "
                f"{OURS} what your code does not need"
            )

    def add_links(self) -> None:
        """Put what a link leads to in its place, where that belongs to the package itself."""
        chosen = {file.source: file for file in self.files}
        for path in self._links:
            added, problem = links.resolve(self._folder, path, chosen=chosen)
            self.files += added
            if problem is not None:
                self._leave(path, Kind.LINK, problem)

    def _leave(self, path: str, kind: Kind, because: str = "") -> None:
        self.left_out.append(LeftOut(path=_text(path), kind=kind, because=_text(because)))


def _text(name: str) -> str:
    """Give a name whose bytes may be no UTF-8 as text that JSON can hold."""
    return name.encode("utf-8", "replace").decode()


def _with(chain: Chain, one: IgnoreFile | None) -> Chain:
    return chain if one is None else (*chain, one)


def _refuse_doubles(files: Collection[ChosenFile]) -> None:
    """Raise UsageError for two paths that one archive cannot hold, since some systems would take them for one."""
    seen: dict[str, str] = {}
    for file in files:
        parts = file.path.split("/")
        for number in range(1, len(parts) + 1):
            path = "/".join(parts[:number])
            other = seen.setdefault(same_for_some_systems(path), path)
            if other != path:
                raise UsageError(
                    f"`{printable(other)}` and `{printable(path)}` differ in capitals or accents alone, and a package "
                    f"cannot hold both: rename one, or name it in {OURS}"
                )
    if len({file.path for file in files}) < len(files):
        raise UsageError("two files have names that Unicode takes for one; rename one of them")
