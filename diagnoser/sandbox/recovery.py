"""What becomes of the work of a child that was lost? What has no result yet is asked again, in less company, or ended.

Only a piece that ran alone is held to have taken its process with it, so nothing is asked again for ever: a stack is
halved until nothing is stacked, then every piece runs alone, and alone it has ATTEMPTS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from diagnoser.messages import Failed, Part, Result, Spoken, Work
from diagnoser.sandbox import endings
from diagnoser.sandbox.supervisor import Ending
from diagnoser.sandbox.units import Unit
from diagnoser.trials import Outcome, UserError

ATTEMPTS = 2  # of a piece of work that takes its process with it: chance once, itself twice


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """What to do about what is left of a unit."""

    again: tuple[Unit, ...] = ()
    results: Mapping[int, Result] = field(default_factory=dict)
    one_process: bool = False  # two together were too much: nobody's fault


def recover(
    unit: Unit,
    left: Sequence[int],
    said: Spoken | Part | Ending,
    *,
    work: Mapping[int, Work],
    attempt: int,
    processes: int,
    at_deadline: bool,
) -> Recovery:
    """Decide for the pieces that are left; `attempt` counts how often the only one lost its process, this time too."""
    if not left:
        return Recovery()
    if isinstance(said, Ending) and said.cause == "memory":
        if unit.stack > 1:
            return Recovery(again=(Unit(tuple(left), largest=unit.stack // 2),))
        if processes > 1:
            return Recovery(again=(Unit(tuple(left), largest=1),), one_process=True)
        if len(unit.pieces) > 1:  # what those before it left behind may have been too much
            return Recovery(again=one_by_one(left))
    elif len(left) > 1:
        if not (isinstance(said, Ending) and said.cause == "timed_out" and at_deadline):
            return Recovery(again=one_by_one(left))
    elif isinstance(said, Ending) and attempt < ATTEMPTS and not endings.is_final(said):
        return Recovery(again=one_by_one(left))
    first, *others = left  # others only at the deadline: the first of them was being trained, the rest perhaps
    results = {other: endings.lost(work[other], outcome=Outcome.TIMED_OUT, error=None) for other in others}
    return Recovery(results={first: _result(work[first], said, beside=[work[other] for other in others]), **results})


def one_by_one(left: Sequence[int]) -> tuple[Unit, ...]:
    """Ask for each piece alone, so that the one that takes its process with it takes no other."""
    return tuple(Unit((piece,), largest=1) for piece in left)


def _result(work: Work, said: Spoken | Part | Ending, *, beside: Sequence[Work]) -> Result:
    if isinstance(said, Ending):
        return endings.result_of(work, said, beside=beside)
    message, traceback = (said.message, said.traceback) if isinstance(said, Failed) else ("unexpected answer", "")
    error = UserError(kind="EngineError", message=message, traceback=traceback)
    return endings.lost(work, outcome=Outcome.WORKER_LOST, error=error)
