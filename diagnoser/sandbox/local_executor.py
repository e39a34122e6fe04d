"""The executor of one machine: children for the work, a cache for what was done before."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from diagnoser.evidence.evidence import Environment, StackedTrials
from diagnoser.messages import MOST_TRIALS, Result, Work
from diagnoser.sandbox import hostile_files
from diagnoser.sandbox.cache import Cache, Keys, hash_of_file, hash_of_files, of_level
from diagnoser.sandbox.children import Children
from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.limits import LOAD_SECONDS, Machine, this_machine
from diagnoser.spec.fields import TrainingSpec

OnResult = Callable[[int, Result], None]


class LocalExecutor:
    """Runs work in children of this machine; use it as a context manager, so that no child is left.

    `stacking=False` asks for one trial at a time; `largest` bounds how many are asked for, and so trained, at once.
    `level` is one that the machine reaches (`levels/probe.py`).
    """

    def __init__(
        self,
        spec: TrainingSpec,
        *,
        folder: Path,
        cache: Path | None,
        processes: int | None = None,
        load_seconds: float = LOAD_SECONDS,
        machine: Machine | None = None,
        stacking: bool = True,
        largest: int = MOST_TRIALS,
        level: Level = "process",
    ) -> None:
        self._spec = spec
        self._folder = folder.resolve()
        self._level = level
        self._cache = None if cache is None else Cache(of_level(cache, level, self._folder))
        self._keys: Keys | None = None
        self._known_files: frozenset[str] = frozenset()
        self._from_cache = 0
        self._out = tempfile.TemporaryDirectory(prefix="diagnoser-", ignore_cleanup_errors=True)
        machine = machine or this_machine()
        self._children = Children(
            spec=spec,
            folder=self._folder,
            out=Path(self._out.name),
            machine=machine,
            processes=processes or machine.processes,
            load_seconds=load_seconds,
            stacking=stacking,
            largest=largest,
            level=level,
        )

    @property
    def processes(self) -> int:
        """How many processes work at the same time."""
        return self._children.processes

    @property
    def threads_per_process(self) -> int:
        """How many threads torch has in each child."""
        return self._children.threads

    @property
    def trials_run(self) -> int:
        """Pieces of work really run so far."""
        return self._children.performed

    @property
    def trials_from_cache(self) -> int:
        """Pieces of work answered by an earlier run."""
        return self._from_cache

    @property
    def stacks(self) -> tuple[StackedTrials, ...]:
        """How many trials were trained how many at once, and why; the most first."""
        return tuple(
            StackedTrials(trials=count, at_once=at_once, because=because)
            for (at_once, because), count in self._children.stacks.most_common()
        )

    @property
    def problems(self) -> tuple[str, ...]:
        """What did not work as it should and harms no result, in words for the user."""
        problem = None if self._cache is None else self._cache.problem
        return () if problem is None else (problem,)

    def output(self) -> str:
        """Give what the user's code printed so far: the first and the last of it."""
        return self._children.output()

    def open(self) -> Environment:
        """Import the user's code, build the data and one model, in a child.

        Raises UserCodeError with the user's own traceback when no model or batch can be built.
        """
        loaded = self._children.open()
        self._keys = Keys(spec=self._spec, environment=loaded.environment)
        self._known_files = frozenset(loaded.environment.source.files)
        return loaded.environment

    def run(self, work: Sequence[Work], *, deadline: float, on_result: OnResult) -> tuple[Result, ...]:
        """Run everything that is not kept from before; results in the order of `work`.

        `deadline` is a time of time.monotonic(): work not finished by then comes back as `timed_out`.
        """
        assert self._keys is not None, "open() comes first"
        keys = {index: self._keys.of(piece) for index, piece in enumerate(work)} if self._cache else {}
        results: dict[int, Result] = {}

        def on_done(index: int, result: Result, files: tuple[str, ...]) -> None:
            key = keys.get(index)
            if self._cache is not None and key is not None:
                late = [name for name in files if name not in self._known_files]
                self._cache.put(key, result, files=hash_of_files(self._folder, late))
            results[index] = result
            on_result(index, result)

        for index in range(len(work)):
            known = self._look_up(keys.get(index))
            if known is not None:
                self._from_cache += 1
                results[index] = known
                on_result(index, known)
        missing = {index: piece for index, piece in enumerate(work) if index not in results}
        try:
            self._children.run(missing, deadline=deadline, on_done=on_done)
        except BaseException:  # Ctrl-C, or a caller's own error: nobody waits for these answers any more
            self._children.end_busy()
            raise
        return tuple(results[index] for index in range(len(work)))

    def close(self) -> None:
        """End every child."""
        self._children.close()
        if self._level != "process":
            for folder in Path(self._out.name).iterdir():
                hostile_files.remove(folder)
        self._out.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _look_up(self, key: str | None) -> Result | None:
        if self._cache is None or key is None:
            return None
        return self._cache.get(key, file_hash=lambda name: hash_of_file(self._folder / name))
