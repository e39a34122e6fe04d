"""What was asked for in one call, and what of it waits for a child?"""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from diagnoser.messages import Result, Work
from diagnoser.sandbox import endings
from diagnoser.sandbox.limits import seconds_for
from diagnoser.sandbox.units import Unit, needs_quiet
from diagnoser.trials import Outcome, UserError

OnDone = Callable[[int, Result, tuple[str, ...]], None]
"""Index, result, and the user's files that are imported by now."""


class Round:
    """The work, until when it must be done, and the units that no child has yet."""

    def __init__(self, work: Mapping[int, Work], units: Sequence[Unit], *, deadline: float, on_done: OnDone) -> None:
        self.work = work
        self.deadline = deadline
        self.on_done = on_done
        self.waiting = deque(units)
        self._attempts: Counter[int] = Counter()

    @property
    def is_over(self) -> bool:
        """Tell whether its time is up."""
        return time.monotonic() >= self.deadline

    @property
    def wants_quiet(self) -> bool:
        """Tell whether what comes next must run while nothing else does."""
        return bool(self.waiting) and needs_quiet(self.work[self.waiting[0].pieces[0]])

    def limit(self, pieces: Sequence[int], *, stacked: bool) -> float:
        """Until when a child that goes on with these pieces may take to its next result."""
        work = [self.work[piece] for piece in pieces]
        limits = [seconds_for(work)] if stacked or not work else [seconds_for([piece]) for piece in work]
        known = [limit for limit in limits if limit is not None]
        own = max(known) if len(known) == len(limits) else math.inf
        return min(self.deadline, time.monotonic() + own)

    def ask_again(self, units: Sequence[Unit]) -> None:
        """Put units before all that wait."""
        self.waiting.extendleft(reversed(units))

    def attempt(self, left: Sequence[int]) -> int:
        """Count how often a piece was the only one left when its process was lost."""
        if len(left) != 1:
            return 0
        self._attempts[left[0]] += 1
        return self._attempts[left[0]]

    def give_up(self, *, outcome: Outcome, error: UserError | None) -> None:
        """Tell that what is waiting will not be done."""
        while self.waiting:
            for piece in self.waiting.popleft().pieces:
                self.on_done(piece, endings.lost(self.work[piece], outcome=outcome, error=error), ())
