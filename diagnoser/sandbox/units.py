"""What is asked of a child at once? What is missing -> units: a probe, or trials of one kind, which it may stack."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from diagnoser.messages import MOST_TRIALS, Work
from diagnoser.trials import Probe, ProbeKind, kind_of


@dataclass(frozen=True)
class Unit:
    """Pieces of work, by their numbers, that one child does."""

    pieces: tuple[int, ...]
    largest: int | None = None  # of its stacks; None: the child decides

    @property
    def stack(self) -> int:
        """How many of them may be trained together."""
        return min(len(self.pieces), self.largest or len(self.pieces))


def form(
    work: Mapping[int, Work], *, processes: int, stacking: bool = True, most: int = MOST_TRIALS
) -> tuple[Unit, ...]:
    """Share out the work over the processes, in its order; what has to run alone comes last."""
    kinds: dict[str, list[int]] = {}
    for index in sorted(work):
        kinds.setdefault(_kind(work[index], index=index, stacking=stacking), []).append(index)
    # Kinds that go round evenly stay whole (three seeds of two fixes): a larger stack is the faster one.
    even = len(kinds) % processes == 0 and len({len(kind) for kind in kinds.values()}) == 1
    hands = 1 if even else processes
    units = (Unit(pieces) for kind in kinds.values() for pieces in _shared(kind, processes=hands, most=most))
    return tuple(sorted(units, key=lambda unit: (needs_quiet(work[unit.pieces[0]]), unit.pieces)))


def needs_quiet(work: Work) -> bool:
    """Tell whether a neighbour would change the answer: what a step costs is measured last, and alone."""
    return isinstance(work, Probe) and work.probe is ProbeKind.SYSTEM


def _kind(work: Work, *, index: int, stacking: bool) -> str:
    """Name what may share a unit with others of that name."""
    if isinstance(work, Probe) or work.loop == "user" or not stacking:
        return str(index)
    return kind_of(work).model_dump_json()


def _shared(pieces: list[int], *, processes: int, most: int) -> Iterator[tuple[int, ...]]:
    """Deal pieces out like cards: neighbours end alike (high learning rates soon), and should not be together."""
    rounds = math.ceil(len(pieces) / (processes * most))
    size = math.ceil(len(pieces) / rounds)
    for start in range(0, len(pieces), size):
        block = pieces[start : start + size]
        yield from (tuple(block[hand::processes]) for hand in range(min(processes, len(block))))
