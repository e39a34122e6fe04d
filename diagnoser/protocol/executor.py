"""Who runs the work? The protocol does not know: this machine, a notebook, or many workers."""

from collections.abc import Callable, Sequence
from typing import Protocol

from diagnoser.evidence.evidence import Environment, StackedTrials
from diagnoser.messages import Result, Work

OnResult = Callable[[int, Result], None]
"""Called once per piece of work, from the calling thread, with its index and its result, in the order of completion."""


class Executor(Protocol):
    """Runs batches of trials and probes. What user code does wrong is a result, never an exception."""

    @property
    def processes(self) -> int:
        """How many processes work at the same time."""

    @property
    def threads_per_process(self) -> int:
        """How many threads torch has in each of them."""

    @property
    def trials_run(self) -> int:
        """Pieces of work really run so far."""

    @property
    def trials_from_cache(self) -> int:
        """Pieces of work answered by an earlier run."""

    @property
    def stacks(self) -> tuple[StackedTrials, ...]:
        """How many trials were trained how many at once, and why; the most first."""

    def open(self) -> Environment:
        """Import the user's code, build the data and one model.

        Raises UserCodeError with the user's own traceback when no model or batch can be built.
        """

    def run(self, work: Sequence[Work], *, deadline: float, on_result: OnResult) -> tuple[Result, ...]:
        """Run everything, in parallel where possible; results in the order of `work`.

        `deadline` is a time of time.monotonic(): work not finished by then comes back as `timed_out`.
        """

    def close(self) -> None:
        """End every child."""
