"""Was this measured before? A folder of results, each under its key (`keys.py`).

Not kept: what another try could change (time-outs, lost processes, memory, whatever raised), and what rests on more
than its key says.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs
from pydantic import ValidationError

from diagnoser.evidence.code import hash_of_code
from diagnoser.evidence.preflight import LoopAudit, ProbeResult
from diagnoser.messages import Result
from diagnoser.records import Record
from diagnoser.sandbox.keys import Keys, engine_hash
from diagnoser.sandbox.levels.level import Level
from diagnoser.trials import Outcome

__all__ = ["Cache", "Keys", "default_folder", "engine_hash", "hash_of_file", "hash_of_files", "of_level"]

LARGEST_CACHE = 500 * 1024 * 1024  # bytes: some ten thousand results, months of one project
ROOM = 0.8  # of the largest size is left after the oldest were dropped, so that this is rare
REPEATABLE = frozenset({Outcome.COMPLETED, Outcome.DIVERGED})


class Entry(Record):
    """One file of the cache."""

    result: Result
    files: dict[str, str] = {}  # the user's files that were imported only while this was measured -> hash


class Cache:
    """A folder of results. What cannot be read is a miss; what cannot be written is told once, in `problem`."""

    def __init__(self, folder: Path, *, largest: int = LARGEST_CACHE) -> None:
        self.folder = folder
        self.problem: str | None = None
        self._largest = largest
        self._size: int | None = None  # not known before the first write

    def get(self, key: str, *, file_hash: Callable[[str], str | None]) -> Result | None:
        """Give the result, if there is one and the files that it rests on are as they were."""
        file = self._file(key)
        try:
            entry = Entry.model_validate_json(file.read_bytes())
            os.utime(file)  # the oldest are dropped by last use
        except (OSError, ValidationError):
            return None
        if any(file_hash(name) != known for name, known in entry.files.items()):
            return None
        return entry.result

    def put(self, key: str, result: Result, *, files: dict[str, str]) -> None:
        """Keep a result, if running it again would give the same."""
        if not is_repeatable(result):
            return
        content = Entry(result=result, files=files).model_dump_json().encode()
        file = self._file(key)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(temporary).replace(file)
            self._make_room(len(content))
        except OSError as error:
            self.problem = f"results are not kept: {error}"

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def _make_room(self, added: int) -> None:
        if self._size is None:
            self._size = sum(size for _, size, _ in self._entries())
        else:
            self._size += added
        if self._size <= self._largest:
            return
        entries = sorted(self._entries(), key=lambda entry: entry[0])
        self._size = sum(size for _, size, _ in entries)
        for _, size, file in entries:
            if self._size <= ROOM * self._largest:
                break
            file.unlink(missing_ok=True)
            self._size -= size

    def _entries(self) -> list[tuple[float, int, Path]]:
        found = []
        for file in self.folder.glob("??/*"):
            try:
                status = file.stat()
            except OSError:  # another run dropped it
                continue
            found.append((status.st_mtime, status.st_size, file))
        return found


def is_repeatable(result: Result) -> bool:
    """Tell whether the same work would give the same again, and its key names all that it rests on."""
    if result.outcome not in REPEATABLE:
        return False
    if isinstance(result, ProbeResult):
        # A loop that raised may not do so tomorrow; and the lines of its traceback move with every comment.
        return not (isinstance(result.value, LoopAudit) and result.value.error is not None)
    # A fresh model whose loss is no number is looked at in a training step, whose optimizer is not in its key.
    stepped = result.updates == 0 and result.outcome is Outcome.COMPLETED and result.first_non_finite is not None
    return result.stopped_by != "time" and not stepped


def default_folder() -> Path | None:
    """Where results are kept: DIAGNOSER_CACHE, else the user's cache folder; DIAGNOSER_CACHE="" keeps none."""
    asked = os.environ.get("DIAGNOSER_CACHE")
    if asked is not None:
        return Path(asked).expanduser() if asked else None
    return Path(platformdirs.user_cache_dir("diagnoser"))


def of_level(cache: Path, level: Level, folder: Path) -> Path:
    """Where the results of a level are kept.

    A child says itself which code it runs, and so under which keys they lie: behind walls only those of its own folder.
    """
    if level == "process":
        return cache
    return cache / level / hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def hash_of_file(file: Path) -> str | None:
    """Hash what a file says, comments and layout left out; None when it is not there."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a child named it, and reading something else may never end
            return None
        return hash_of_code(file.read_bytes(), name=file.name)
    except (OSError, ValueError):  # a name that is none
        return None


def hash_of_files(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Hash the files that are there."""
    hashes = ((name, hash_of_file(folder / name)) for name in names)
    return {name: content for name, content in hashes if content is not None}
