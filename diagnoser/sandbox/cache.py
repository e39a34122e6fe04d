"""Was this measured before? Results by the hash of all that can change them.

Covers: the engine, Python, torch and the packages that the user's code imported, device and precision, the user's
imported files, the data as read, the fields of the spec that this work uses (its own changes applied), and the work
itself.
Does not cover: files that the user's code opens while it trains without importing them (weights, lists of stop words),
the network, the clock. Not kept: what another try could change (time-outs, lost processes, memory, whatever raised).
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs
from pydantic import ValidationError

from diagnoser.errors import SpecError
from diagnoser.evidence.evidence import Environment
from diagnoser.messages import Result, Work
from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.patching import apply_changes
from diagnoser.trials import Outcome, Probe, ProbeKind, Trial, TrialResult
from diagnoser.version import ENGINE_VERSION

LARGEST_CACHE = 500 * 1024 * 1024  # bytes: some ten thousand results, months of one project
ROOM = 0.8  # of the largest size is left after the oldest were dropped, so that this is rare
FORMAT = "1"
NOT_MEASURED_WITH = frozenset({"name", "search", "protocol", "budget", "rules", "gate", "environment"})
OF_THE_REAL_RUN = frozenset({"scheduler", "early_stopping", "ema"})  # only where a trial is `scheduled`
REPEATABLE = frozenset({Outcome.COMPLETED, Outcome.DIVERGED})


class Entry(Record):
    """One file of the cache."""

    result: Result
    files: dict[str, str] = {}  # the user's files that were imported only while this was measured -> hash


class Keys:
    """Hashes of work, for one spec in one environment."""

    def __init__(self, *, spec: TrainingSpec, environment: Environment) -> None:
        self._spec = spec
        self._environment = environment
        self._engine = engine_hash()

    def of(self, work: Work) -> str | None:
        """Give the key; None when the work cannot be kept (its changes make no spec, and the child will say so)."""
        try:
            spec = apply_changes(self._spec, work.changes) if isinstance(work, Trial) else self._spec
        except SpecError:
            return None
        left_out = set(NOT_MEASURED_WITH)
        if isinstance(work, Trial) and not work.scheduled:
            left_out |= OF_THE_REAL_RUN
        seen = self._environment
        parts = [
            FORMAT,
            self._engine,
            ".".join(seen.python.split(".")[:2]),
            seen.torch,
            "\n".join(f"{name}=={version}" for name, version in sorted(seen.packages.items())),
            seen.device,
            seen.source.hash,
            seen.data_fingerprint,
            spec.model_dump_json(exclude=left_out),
            type(work).__name__,
            work.model_dump_json(exclude={"changes", "max_seconds"}),
        ]
        if isinstance(work, Probe) and work.probe is ProbeKind.SYSTEM:
            parts += [seen.platform, str(seen.cpu_count)]  # what a step costs is true of one machine
        digest = hashlib.sha256()
        for part in parts:
            digest.update(f"{len(part)}:".encode() + part.encode())
        return digest.hexdigest()


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
    """Tell whether the same work would give the same again."""
    stopped_by_time = isinstance(result, TrialResult) and result.stopped_by == "time"
    return result.outcome in REPEATABLE and not stopped_by_time


def default_folder() -> Path | None:
    """Where results are kept: DIAGNOSER_CACHE, else the user's cache folder; DIAGNOSER_CACHE="" keeps none."""
    asked = os.environ.get("DIAGNOSER_CACHE")
    if asked is not None:
        return Path(asked).expanduser() if asked else None
    return Path(platformdirs.user_cache_dir("diagnoser"))


def engine_hash() -> str:
    """Name the measuring engine: its version and its sources, which change more often while it is being built."""
    digest = hashlib.sha256(ENGINE_VERSION.encode())
    root = Path(__file__).resolve().parents[1]
    places = ("training/**/*.py", "spec/*.py", "evidence/*.py", "trials.py", "records.py")
    for file in sorted(file for place in places for file in root.glob(place)):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def hash_of_file(file: Path) -> str | None:
    """Hash a file's content; None when it is not there."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


def hash_of_files(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Hash the files that are there."""
    hashes = ((name, hash_of_file(folder / name)) for name in names)
    return {name: content for name, content in hashes if content is not None}
