"""Does the schedule of the learning rate fit the length of the run?"""

from collections.abc import Iterator
from typing import NamedTuple

from diagnoser.evidence.preflight import Assumptions, OptimizerProfile
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import JsonValue
from diagnoser.spec.fields import Scheduler, TrainingSpec
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The schedule does not fit the run",
    why="A schedule made for another length ends at the wrong rate: at its peak, at nothing, or where it began.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate",),
)
RISES = 0.1  # of the peak, after the lowest point
HARDLY_FALLS = 0.9  # of the peak still left at the end (CATALOGUE: it only falls < 10 %)
NOTHING_LEFT = 1e-3  # of the peak (CATALOGUE)
IDLE = 0.25  # of the run spent with nothing left; a cosine to zero spends 2 %
STILL_FELL = 0.01  # of the first training loss, over the interval before the rate was gone
MOVES = 1e-6  # relative; less is rounding
FEWEST_EPOCHS = 3
RISE_BY_DESIGN = ("restart", "cyclic", "cycle")
CONSTANT_BY_DESIGN = ("constant", "plateau", "linear", "lambda")  # the last may be a warm-up alone


class _Fault(NamedTuple):
    """What is wrong, how grave it is, and what to change."""

    words: str
    severity: Severity
    confidence: Confidence
    fix: Fix


def check(
    spec: TrainingSpec,
    assumptions: Assumptions,
    optimizer: OptimizerProfile,
    curves: Curves | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if spec.scheduler is None:
        raise NotApplicable("there is no schedule")
    if len(optimizer.schedule) < 3:
        raise Unjudged(optimizer.schedule_because or "the schedule could not be run dry over the whole run")
    rates = optimizer.schedule
    observed = (
        f"lr {rates[0]:.3g} at the start, {max(rates):.3g} at most, {min(rates):.3g} at least, "
        f"{rates[-1]:.3g} at the end"
    )
    expected = "a rate that falls with the run, and lasts as long"
    fault = _fault(spec, spec.scheduler, rates, assumptions, curves)
    if fault is None:
        yield Passed(observed=observed, expected=expected)
        return
    claim = claims.claim(treatments, fault.fix)
    grave = fault.severity is Severity.WARNING or claim.verified
    yield Finding(
        message=f"{fault.words}{claim.words}",
        severity=Severity.WARNING if grave else fault.severity,
        confidence=Confidence.HIGH if claim.verified else fault.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/optimizer/value/schedule", "/spec/scheduler"),
        fixes=(fault.fix,),
        explains=("optimizer-unfit", "too-few-epochs", "underfitting", "loss-plateaus", "loss-oscillates")
        if grave
        else (),
        key="scheduler.args" if spec.scheduler.args else "scheduler",
    )


def _fault(
    spec: TrainingSpec,
    scheduler: Scheduler,
    rates: tuple[float, ...],
    assumptions: Assumptions,
    curves: Curves | None,
) -> _Fault | None:
    name, peak = scheduler.name, max(rates)
    lowest_at = min(range(rates.index(peak), len(rates)), key=rates.__getitem__)
    lowest, rise = rates[lowest_at], max(rates[lowest_at:]) - rates[lowest_at]
    refit = _refit(scheduler, assumptions)
    if rise > RISES * peak and not _named(name, RISE_BY_DESIGN):
        words = (
            f"The schedule {name} falls to {lowest:.3g} at {lowest_at / (len(rates) - 1):.0%} of the run, "
            f"then rises to {lowest + rise:.3g} again: its period is shorter than the run."
        )
        return _Fault(words, Severity.WARNING, Confidence.HIGH, refit)
    if _used_up_at_once(scheduler, rates, assumptions):
        words = (
            f"The schedule {name} is used up within the first epoch: it is stepped per batch, "
            "and its numbers seem to mean epochs."
        )
        by_epoch = Fix(title="Step the schedule once an epoch", patch={"scheduler.interval": "epoch"})
        return _Fault(words, Severity.WARNING, Confidence.HIGH, by_epoch)
    idle = sum(rate < NOTHING_LEFT * peak for rate in rates) / len(rates)
    if idle > IDLE:
        fell = _fell_before(curves, start=1 - idle)
        words = (
            f"For the last {idle:.0%} of the run the rate is below a thousandth of its peak: nothing is learned there."
        )
        severity, confidence = (Severity.WARNING, Confidence.MEDIUM) if fell else (Severity.INFO, Confidence.LOW)
        return _Fault(words, severity, confidence, refit)
    if _named(name, CONSTANT_BY_DESIGN) or _named(name, RISE_BY_DESIGN):
        return None
    if peak - min(rates) <= MOVES * peak:
        words = f"The schedule {name} never moves the rate within the {assumptions.total_updates} updates of the run."
        return _Fault(words, Severity.WARNING, Confidence.MEDIUM, refit)
    if rates[-1] > HARDLY_FALLS * peak:
        words = f"The schedule {name} lowers the rate by {1 - rates[-1] / peak:.0%} only: it is made for a longer run."
        return _Fault(words, Severity.INFO, Confidence.LOW, refit)
    return None


def _named(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name.lower() for word in words)


def _refit(scheduler: Scheduler, assumptions: Assumptions) -> Fix:
    """The same cosine with the run's own length; anything else becomes one."""
    if "cosine" in scheduler.name.lower() and "T_max" in scheduler.args:
        length = assumptions.total_updates
        if scheduler.interval == "epoch":
            length = max(1, round(length / max(1, assumptions.updates_per_epoch)))
        args: dict[str, JsonValue] = {**scheduler.args, "T_max": length}
        return Fix(title=f"Set T_max to the length of the run, {length}", patch={"scheduler.args": args})
    patch: dict[str, JsonValue] = {"scheduler": {"name": "cosine", "warmup": scheduler.warmup}}
    return Fix(title="Decay along a cosine over the whole run", patch=patch)


def _used_up_at_once(scheduler: Scheduler, rates: tuple[float, ...], assumptions: Assumptions) -> bool:
    """Stepped per batch, all of its fall lies within the first epoch of several."""
    epochs = assumptions.total_updates / max(1, assumptions.updates_per_epoch)
    if scheduler.interval != "step" or epochs < FEWEST_EPOCHS or _named(scheduler.name, RISE_BY_DESIGN):
        return False
    last_change = max((i for i in range(1, len(rates)) if rates[i] != rates[i - 1]), default=0)
    over = last_change / (len(rates) - 1) <= 1 / epochs + 1 / len(rates)
    return over and rates[-1] <= 0.5 * max(rates)


def _fell_before(curves: Curves | None, *, start: float) -> bool:
    """Whether the training loss still fell just before the rate was gone."""
    flags = []
    for run in user_runs.ours(curves) if curves is not None else ():
        losses = [loss for loss in run.train_loss if loss is not None]
        end = max(1, round(start * len(losses)))
        if len(losses) > end >= 2 and losses[0] > 0:
            flags.append(losses[end - 2] - losses[end - 1] > STILL_FELL * losses[0])
    return user_runs.in_most(flags)
