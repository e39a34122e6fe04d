"""Do the targets lie where a fresh network cannot reach them soon?"""

from collections.abc import Iterator
from math import isclose

from diagnoser.evidence.preflight import Assumptions, DataProfile, OptimizerProfile
from diagnoser.evidence.steps import Overfit, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.records import is_finite
from diagnoser.spec.fields import Task
from diagnoser.trials import Transform
from rules import confirmation
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Regression targets are not scaled",
    why="A fresh network answers near 0 and moves by small steps: targets far away cost it the run just to get there.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-2/#losses",),
)
FAR = 3.0  # |mean| / std
LARGE, SMALL = 10.0, 0.01  # std
STEP_IS_LR = ("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop")  # an update moves a weight by about lr at most
FIX = Fix(title="Standardise the targets", transforms=(Transform.STANDARDISE_TARGETS,))
CURED = (
    "initial-loss-off-chance",
    "learning-rate-too-high",
    "gradients-explode",
    "loss-diverges",
    "small-set-not-memorised",
    "underfitting",
)


def check(
    data: DataProfile,
    assumptions: Assumptions,
    optimizer: OptimizerProfile | None,
    overfit: Overfit | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    targets = data.targets
    if assumptions.task is not Task.REGRESSION or targets.kind != "real":
        raise NotApplicable("the task is no regression")
    if "poisson" in assumptions.loss.lower():
        raise NotApplicable("a Poisson loss wants counts as they are")
    if not is_finite(targets.std) or targets.std == 0:
        raise Unjudged("the targets do not vary, or are not finite")
    far = abs(targets.mean) / targets.std
    observed = f"mean {targets.mean:.4g}, std {targets.std:.4g}"
    expected = f"std between {SMALL:g} and {LARGE:g}, mean within {FAR:g} std of 0"
    if far <= FAR and SMALL <= targets.std <= LARGE:
        yield Passed(observed=observed, expected=expected)
        return
    verified = confirmation.state(treatments, FIX) is FixState.VERIFIED
    needed = (abs(targets.mean) + targets.std) / assumptions.effective_lr
    short = optimizer is not None and optimizer.name in STEP_IS_LR and needed > assumptions.total_updates
    reachless = short and overfit is not None and _fails_at_the_users_lr(overfit)
    note = ""
    if verified:
        note = " Trained on standardised targets, the model is clearly better."
    elif reachless:
        note = (
            f" At lr {assumptions.effective_lr:g} an output bias needs {needed:,.0f} updates to get there, and the run "
            f"has {assumptions.total_updates:,}; the small set is not learned at that lr."
        )
    yield Finding(
        title=f"Targets have {observed}",
        message=f"The targets have {observed}, and an untrained network answers near 0.{note}",
        severity=Severity.WARNING if verified or reachless else Severity.INFO,
        confidence=Confidence.HIGH if verified else Confidence.MEDIUM if reachless else Confidence.LOW,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/data/value/targets/mean", "/steps/preflight/data/value/targets/std"),
        fixes=(FIX,),
        explains=CURED if verified or reachless else (),
        key="data",
        subject="targets",
    )


def _fails_at_the_users_lr(overfit: Overfit) -> bool:
    tries = [attempt for attempt in overfit.attempts if attempt.control == "none" and not attempt.regularised]
    ours = [attempt for attempt in tries if isclose(attempt.lr, overfit.user_lr, rel_tol=1e-6)]
    return bool(ours) and 2 * sum(attempt.memorised for attempt in ours) < len(ours)
