"""What would a diagnosis run, and what would it cost? Counted before it runs, from a few timed steps."""

import math

from diagnoser.evidence.steps import Steps
from diagnoser.protocol import coarse_search, lr_scan, overfit
from diagnoser.protocol import so_far as known
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.events import StepName
from diagnoser.protocol.fine_search import BEST, PROPOSALS
from diagnoser.protocol.initial_loss import INITIALISATIONS
from diagnoser.protocol.preflight import FIRST, REST
from diagnoser.protocol.session import LEFT_OUT_BY_QUICK, SHARES
from diagnoser.protocol.treatment import MOST_FIXES, PAIRS
from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec

MEMORISED_AFTER = (20, 280)  # updates of healthy programs (CATALOGUE, "A first look at healthy programs")
PROBE_SECONDS = (0.1, 2.0)  # a probe on a small model


class StepEstimate(Record):
    """One step: how many pieces of work, how long each, and what they cost in wall time."""

    step: StepName
    fewest: int
    most: int
    updates: str
    at_least: float  # seconds
    at_most: float


class Estimate(Record):
    """All steps, in order."""

    steps: tuple[StepEstimate, ...]
    at_least: float
    at_most: float
    budget: float
    seconds_per_update: float
    processes: int


def estimate(spec: TrainingSpec, so_far: Steps, *, processes: int) -> Estimate:
    """The cost of each step: its first trials alone, and everything it may ask for, never above its share."""
    system = known.value(so_far.preflight.system)
    budget = spec.budget.minutes * 60
    quick = spec.protocol.preset == "quick"
    names = [name for name in SHARES if not (quick and name in LEFT_OUT_BY_QUICK)]
    shares = sum(SHARES[name] for name in names)
    base = Allowance(
        seconds=budget,
        processes=processes,
        seconds_per_update=system.seconds_per_update if system else 0.01,
        seconds_per_evaluation=system.seconds_per_evaluation if system else 0.1,
        seconds_to_build=system.seconds_to_build if system else 0.01,
    )
    steps = tuple(
        _step(name, spec, so_far, base.model_copy(update={"seconds": budget * SHARES[name] / shares})) for name in names
    )
    return Estimate(
        steps=steps,
        at_least=sum(step.at_least for step in steps),
        at_most=min(budget, sum(step.at_most for step in steps)),
        budget=budget,
        seconds_per_update=base.seconds_per_update,
        processes=processes,
    )


def _step(name: StepName, spec: TrainingSpec, so_far: Steps, allowance: Allowance) -> StepEstimate:
    total = known.assumptions(so_far).total_updates
    seeds = spec.protocol.seeds
    match name:
        case "preflight":
            count = len(FIRST) + len(REST)
            low, high = (count * seconds for seconds in PROBE_SECONDS)
            return _bounded(name, (count, count), "-", (low, high), allowance)
        case "initial_loss":
            return _priced(name, (INITIALISATIONS + 2, INITIALISATIONS + 2), (0, 1), 0, allowance)
        case "overfit":
            first = len(overfit.plan(spec, so_far, (), allowance=allowance))
            most = first + len(overfit.LADDER) + 4
            return _priced(name, (first, most), (MEMORISED_AFTER[0], overfit.MOST_UPDATES), 0, allowance)
        case "lr_scan":
            trials = lr_scan.plan(spec, so_far, (), allowance=allowance)
            updates = trials[0].updates or 0
            return _priced(name, (len(trials) + 2, len(trials) + 10), (updates, updates), 1, allowance)
        case "coarse_search":
            trials = coarse_search.plan(spec, so_far, (), allowance=allowance)
            updates = trials[0].updates or 0 if trials else 0
            kept = math.ceil(len(trials) / coarse_search.ETA) + 1
            return _priced(
                name, (len(trials), len(trials) + kept), (updates, updates * coarse_search.ETA), 1, allowance
            )
        case "fine_search":
            return _priced(name, (2, BEST + 1 + PROPOSALS), (total, total), 1, allowance)
        case "curves":
            return _priced(name, (1, seeds), (total, total), min(30, known.epochs(spec)), allowance)
        case _:
            most = PAIRS * MOST_FIXES[spec.protocol.preset]
            return _priced(name, (0, most), (total, total), min(30, known.epochs(spec)), allowance)


def _priced(
    name: StepName, pieces: tuple[int, int], updates: tuple[int, int], evaluations: int, allowance: Allowance
) -> StepEstimate:
    def cost(count: int, length: int) -> float:
        one = length * allowance.seconds_per_update + evaluations * allowance.seconds_per_evaluation
        return count * (one + allowance.seconds_to_build) / max(1, min(allowance.processes, count))

    words = str(updates[0]) if updates[0] == updates[1] else f"{updates[0]} to {updates[1]}"
    return _bounded(name, pieces, words, (cost(pieces[0], updates[0]), cost(pieces[1], updates[1])), allowance)


def _bounded(
    name: StepName, pieces: tuple[int, int], updates: str, seconds: tuple[float, float], allowance: Allowance
) -> StepEstimate:
    low, high = (min(value, allowance.seconds) for value in seconds)
    return StepEstimate(step=name, fewest=pieces[0], most=pieces[1], updates=updates, at_least=low, at_most=high)
