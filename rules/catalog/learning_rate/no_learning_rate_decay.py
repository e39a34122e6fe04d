"""Would the run end better if its learning rate decayed?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import OptimizerProfile
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.spec.fields import TrainingSpec
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The learning rate never decays",
    why="At a constant rate the weights keep circling the minimum; a decay lets them settle.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#anneal", "https://arxiv.org/abs/1608.03983"),
)
SHORT = 1000  # updates: a shorter run has hardly reached the level at which it would circle
RESTLESS = 1 / 3  # of the epochs at which the mean loss turns: a curve that settles by itself needs no decay
CONSTANT = 0.01  # relative change of the lr over the whole run
FIX = Fix(title="Let the learning rate decay to zero along a cosine", patch={"scheduler": {"name": "cosine"}})


def check(
    spec: TrainingSpec, optimizer: OptimizerProfile, curves: Curves, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    rates = optimizer.schedule
    if spec.scheduler is not None or (rates and max(rates) - min(rates) > CONSTANT * max(rates)):
        raise NotApplicable("the learning rate has a schedule")
    if curves.planned_updates < SHORT:
        raise NotApplicable(f"the run is short ({curves.planned_updates} updates)")
    runs = user_runs.whole(curves)
    turns = user_runs.middle(run.reading.direction_changes for run in runs if run.reading is not None)
    observed = f"a constant rate; the loss turns at {turns or 0.0:.0%} of the epochs"
    expected = "a rate that decays, or a curve that settles by itself"
    improving = user_runs.classed(runs, "still_improving")
    if turns is None or turns <= RESTLESS or improving or user_runs.at_ceiling(runs):
        yield Passed(observed=observed, expected=expected)
        return
    claim = claims.claim(treatments, FIX, least=claims.MATTERS)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; a decay was tried and is not better", expected=expected)
        return
    yield Finding(
        message=f"The learning rate stays constant to the end, and the loss turns at {turns:.0%} of the epochs "
        f"instead of settling.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs/0/lrs", "/steps/curves/value/runs/0/reading/direction_changes"),
        fixes=(FIX,),
        key="scheduler",
    )
