"""Does the training loss swing from epoch to epoch?"""

from collections.abc import Iterator

from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.spec.fields import TrainingSpec
from rules import claims, rates, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The loss oscillates",
    why="Updates that overshoot throw away part of what the epoch before has gained.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#loss",),
)
TURNS = 1 / 3  # of the epochs at which the epoch's mean loss changes direction (CATALOGUE)
SWINGS = 0.10  # of the whole fall of the loss
FEWEST_EPOCHS = 6  # fewer give two or three chances to turn, and chance takes them
NOISE = 3.0  # sd of repeated evaluation: below it a swing is that of the objective itself
DECAY = Fix(title="Let the learning rate decay to zero along a cosine", patch={"scheduler": {"name": "cosine"}})
LARGER = Fix(title="Average over more rows", advice="larger batches, or `accumulate_batches: 4`")
BY_DESIGN = ("cyclic", "restart", "one_cycle", "onecycle")


def check(spec: TrainingSpec, curves: Curves, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    if spec.scheduler is not None and any(word in spec.scheduler.name.lower() for word in BY_DESIGN):
        raise NotApplicable(f"the schedule {spec.scheduler.name} swings by design")
    runs = user_runs.whole(curves)
    turns = user_runs.middle(run.reading.direction_changes for run in runs if run.reading is not None)
    swing = user_runs.middle(run.reading.swing for run in runs if run.reading is not None)
    if turns is None or min(len(run.epochs) for run in runs) < FEWEST_EPOCHS:
        raise Unjudged(f"the run has too few epochs to tell a swing from chance (at least {FEWEST_EPOCHS})")
    observed = f"turns at {turns:.0%} of the epochs, swings of {swing or 0.0:.0%} of the fall"
    expected = f"turns at {TURNS:.0%} of the epochs at most, or swings below {SWINGS:.0%}"
    if not user_runs.enough(_swings(run) for run in runs):
        yield Passed(observed=observed, expected=expected)
        return
    lr = rates.rounded(spec.optimizer.lr / 3)
    fix = Fix(title=f"Lower the learning rate to {lr:g}", patch={"optimizer.lr": lr})
    claim = claims.claim(treatments, fix)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; a third of the learning rate is not better", expected=expected)
        return
    yield Finding(
        message=f"The mean loss of an epoch {observed}.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs/0/reading/direction_changes", "/steps/curves/value/runs/0/reading/swing"),
        fixes=(fix, *((DECAY,) if spec.scheduler is None else ()), LARGER),
        key="optimizer.lr",
    )


def _swings(run: CurveRun) -> bool:
    reading = run.reading
    if reading is None or reading.direction_changes is None or reading.swing is None:
        return False
    fall = (run.initial_loss or 0.0) - min(run.smoothed, default=0.0)
    above_noise = reading.swing * fall > NOISE * (run.evaluation_noise or 0.0)
    return reading.direction_changes > TURNS and reading.swing > SWINGS and above_noise
