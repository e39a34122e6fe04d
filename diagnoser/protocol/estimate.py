"""What would a diagnosis run, and what would it cost? Told before it runs, by walking its steps with nothing trained.

Known by measuring: the start, the preflight, what judging takes, an update, an evaluation and a fresh model. Expected:
when runs end early, and which fixes will be tried. Not counted: results that are kept from an earlier run.
"""

import math

from diagnoser.evidence.outcome import NotMeasured
from diagnoser.evidence.steps import Steps
from diagnoser.findings import Finding
from diagnoser.protocol import so_far as known
from diagnoser.protocol.events import Event, StepName
from diagnoser.protocol.expectation import to_be_tried
from diagnoser.protocol.preflight import FIRST, REST
from diagnoser.protocol.prices import Prices
from diagnoser.protocol.rehearsal import Form, Rehearsal
from diagnoser.protocol.session import Session
from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import TrialResult

SPREAD = 2.0  # the upper end over the lower one, with what is to be expected in the middle
OVERRUN = 1.1  # times the budget: no run takes longer


class StepEstimate(Record):
    """One step: how many pieces of work are to be expected, how long each, and what they take in wall time."""

    step: StepName
    pieces: int
    updates: tuple[int, int]  # of the shortest and the longest piece
    seconds: float
    left_out: str = ""  # why nothing of it would be measured


class Estimate(Record):
    """All steps, in order, and the range in which the wall time of the whole run is to be expected."""

    steps: tuple[StepEstimate, ...]
    starting: float  # seconds until the preflight begins: our program, and the user's code in a process of its own
    ending: float  # seconds for the last judgment and the report
    expected: float
    at_least: float
    at_most: float
    budget: float
    seconds_per_update: float
    processes: int
    proposed: tuple[str, ...]  # titles of the fixes that the preflight alone proposes


def estimate(
    spec: TrainingSpec,
    so_far: Steps,
    draft: tuple[Finding, ...],
    *,
    prices: Prices,
    processes: int,
    form: Form,
    preflight_seconds: float,
) -> Estimate:
    """Walk the steps after the preflight, which is known, and add up."""
    used = prices.opening + preflight_seconds
    assumed = known.assumptions(so_far)
    rehearsal = Rehearsal(spec, assumed, processes=processes, form=form, prices=prices, now=used)
    looked = StepEstimate(step="preflight", pieces=len(FIRST) + len(REST), updates=(0, 0), seconds=preflight_seconds)
    rows, began, first = [looked], used, 0

    def judge(_: Steps) -> tuple[Finding, ...]:
        rehearsal.skip(prices.judging)
        return to_be_tried(draft, spec, assumed)

    def tell(event: Event) -> None:
        nonlocal began, first
        if event.kind == "step_started":
            began, first = event.seconds_used, len(rehearsal.results)
        elif event.kind == "step_ended":
            rows.append(_row(event.step, event.seconds_used - began, rehearsal.results[first:]))

    steps = Session(spec, rehearsal, judge, tell, 0.0, clock=rehearsal.clock, steps=so_far).train()
    starting, ending = prices.program + prices.opening, prices.ending
    expected = starting + sum(row.seconds for row in rows) + ending
    budget = spec.budget.minutes * 60
    at_most = min(math.sqrt(SPREAD) * expected, OVERRUN * budget)
    return Estimate(
        steps=tuple(_with_reason(row, steps) for row in rows),
        starting=starting,
        ending=ending,
        expected=expected,
        at_least=at_most / SPREAD,
        at_most=at_most,
        budget=budget,
        seconds_per_update=prices.seconds_per_update,
        processes=processes,
        proposed=tuple(fix.title for finding in draft for fix in finding.fixes if fix.can_be_tried),
    )


def _row(step: StepName, seconds: float, results: list[TrialResult]) -> StepEstimate:
    lengths = [result.updates for result in results] or [0]
    updates = (min(lengths), max(lengths))
    return StepEstimate(step=step, pieces=len(results), updates=updates, seconds=seconds)


def _with_reason(row: StepEstimate, steps: Steps) -> StepEstimate:
    outcome = getattr(steps, row.step)
    return row.model_copy(update={"left_out": outcome.because}) if isinstance(outcome, NotMeasured) else row
