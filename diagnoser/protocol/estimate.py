"""What would a diagnosis run, and what would it cost? Told before it runs, by walking its steps with nothing trained.

Known by measuring: the start, the preflight, a judgment, an update, an evaluation, a fresh model, and one run on the
small set. Expected: when the other runs end, and which fixes will be tried. Not counted: results that are kept from an
earlier run.
"""

import importlib
import math
import time

from diagnoser.evidence.outcome import NotMeasured, Reason
from diagnoser.evidence.steps import Steps
from diagnoser.findings import Finding
from diagnoser.protocol import overfit
from diagnoser.protocol import so_far as known
from diagnoser.protocol.events import Event, StepName
from diagnoser.protocol.expectation import Course, courses, to_be_tried
from diagnoser.protocol.preflight import FIRST, REST
from diagnoser.protocol.prices import Prices
from diagnoser.protocol.rehearsal import Form, Rehearsal
from diagnoser.protocol.session import Session
from diagnoser.protocol.spending import Spending
from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Trial, TrialResult

SPREAD = 2.0  # the upper end over the lower one, with what is to be expected in the middle
OVERRUN = 1.1  # times the budget: no run takes longer
SHARE_OF_ONE_RUN = 0.02  # of the budget: a plan is to cost little


class StepEstimate(Record):
    """One step: how many pieces of work, how long, and what they take; each when all goes smoothly and when not."""

    step: StepName
    pieces: tuple[int, int]
    updates: tuple[int, int]  # of the shortest and of the longest piece
    seconds: tuple[float, float]
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


def one_run(spec: TrainingSpec, so_far: Steps) -> Trial:
    """The run on the small set that tells most: whether and when it memorises decides what step 2 costs."""
    budget = spec.budget.minutes * 60
    allowance = Spending(spec, lambda: 1, 0.0, lambda: 0.0).allowance("overfit", spent=0.0, so_far=so_far)
    first = overfit.plan(spec, so_far, (), allowance=allowance)[0]
    return first.model_copy(update={"updates": overfit.MOST_UPDATES, "max_seconds": SHARE_OF_ONE_RUN * budget})


def estimate(
    spec: TrainingSpec,
    so_far: Steps,
    draft: tuple[Finding, ...],
    *,
    prices: Prices,
    processes: int,
    form: Form,
    preflight_seconds: float,
    small_set: TrialResult | None,
) -> Estimate:
    """Walk the steps after the preflight, which is known: once as all goes smoothly, and once with some trouble.

    `small_set` is what `one_run` gave.
    """
    assumed = known.assumptions(so_far)
    used = prices.opening + preflight_seconds
    importing = _importing()

    def walk(course: Course) -> list[StepEstimate]:
        rehearsal = Rehearsal(spec, assumed, course, processes=processes, form=form, prices=prices, now=used)
        findings = to_be_tried(draft, spec, assumed, course)
        return _walked(spec, so_far, rehearsal, findings, judging=prices.judging, importing=importing)

    smooth, troubled = (walk(course) for course in courses(small_set))
    around = prices.program + used + prices.ending
    totals = [around + sum(step.seconds[0] for step in steps) for steps in (smooth, troubled)]
    budget = spec.budget.minutes * 60
    expected = math.sqrt(math.prod(totals))
    at_most = min(math.sqrt(SPREAD) * expected, OVERRUN * budget)
    probes = len(FIRST) + len(REST)
    looked = StepEstimate(step="preflight", pieces=(probes, probes), updates=(0, 0), seconds=(preflight_seconds,) * 2)
    return Estimate(
        steps=(looked, *(_between(*pair) for pair in zip(smooth, troubled, strict=True))),
        starting=prices.program + prices.opening,
        ending=prices.ending,
        expected=expected,
        at_least=at_most / SPREAD,
        at_most=at_most,
        budget=budget,
        seconds_per_update=prices.seconds_per_update,
        processes=processes,
        proposed=tuple(fix.title for finding in draft for fix in finding.fixes if fix.can_be_tried),
    )


def _importing() -> float:
    """Seconds of importing what a search is read with; both courses pay for it, and only the first would."""
    began = time.process_time()
    for name in ("sklearn.ensemble", "sklearn.gaussian_process"):
        importlib.import_module(name)
    return time.process_time() - began


def _walked(
    spec: TrainingSpec,
    so_far: Steps,
    rehearsal: Rehearsal,
    findings: tuple[Finding, ...],
    *,
    judging: float,
    importing: float,
) -> list[StepEstimate]:
    """What each step asks for on one course."""
    rows: list[StepEstimate] = []
    began, first = 0.0, 0

    def judge(_: Steps) -> tuple[Finding, ...]:
        rehearsal.skip(judging)
        return findings

    def tell(event: Event) -> None:
        nonlocal began, first
        if event.kind == "step_started":
            began, first = event.seconds_used, len(rehearsal.results)
            if event.step == "coarse_search" and spec.protocol.preset != "quick":
                rehearsal.skip(importing)
        elif event.kind == "step_ended":
            rows.append(_row(event.step, event.seconds_used - began, rehearsal.results[first:]))

    steps = Session(spec, rehearsal, judge, tell, 0.0, clock=rehearsal.clock, steps=so_far).train()
    return [_with_reason(row, steps) for row in rows]


def _row(step: StepName, seconds: float, results: list[TrialResult]) -> StepEstimate:
    lengths = [result.updates for result in results] or [0]
    pieces, updates = (len(results),) * 2, (min(lengths), max(lengths))
    return StepEstimate(step=step, pieces=pieces, updates=updates, seconds=(seconds,) * 2)


def _with_reason(row: StepEstimate, steps: Steps) -> StepEstimate:
    outcome = getattr(steps, row.step)
    left_out = isinstance(outcome, NotMeasured) and outcome.reason is Reason.BUDGET
    return row.model_copy(update={"left_out": outcome.because}) if left_out else row


def _between(smooth: StepEstimate, troubled: StepEstimate) -> StepEstimate:
    """One step on both courses; what a larger step before it leaves no time for is smaller with trouble."""
    pieces, seconds = (sorted((smooth.pieces[0], troubled.pieces[0])), sorted((smooth.seconds[0], troubled.seconds[0])))
    lengths = [row.updates for row in (smooth, troubled) if row.pieces[0]] or [(0, 0)]
    return StepEstimate(
        step=smooth.step,
        pieces=(pieces[0], pieces[1]),
        updates=(min(low for low, _ in lengths), max(high for _, high in lengths)),
        seconds=(seconds[0], seconds[1]),
        left_out=smooth.left_out and troubled.left_out,
    )
