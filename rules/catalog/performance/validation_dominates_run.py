"""Does the run spend its time on evaluation?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, LoopAudit, SystemProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="Evaluation takes most of the run",
    why="Time spent measuring is not spent learning.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.inference_mode.html",),
)
MOST = 0.5  # of the wall time
LONG = 60.0  # seconds; in shorter runs nothing is gained
BOTH_SPLITS = 2  # our evaluation covers a training subset of the size of validation as well


def check(
    spec: TrainingSpec, assumptions: Assumptions, system: SystemProfile, loop: LoopAudit | None
) -> Iterator[Finding | Passed]:
    epochs = max(1.0, assumptions.total_updates / max(1, assumptions.updates_per_epoch))
    training = system.seconds_per_update * assumptions.total_updates
    evaluating = epochs * system.seconds_per_evaluation / BOTH_SPLITS
    whole = training + evaluating
    share = evaluating / whole if whole > 0 else 0.0
    observed = f"{share:.0%} of a run of {whole:,.0f} s, at one evaluation an epoch"
    expected = f"at most {MOST:.0%}"
    if share <= MOST or whole < LONG:
        yield Passed(observed=observed, expected=expected)
        return
    with_graph = loop is not None and loop.has_evaluate and loop.gradients_enabled_in_evaluate is True
    yield Finding(
        title=f"Evaluation takes {share:.0%} of the run",
        message=f"Evaluating once an epoch takes {evaluating:,.0f} s of {whole:,.0f} s."
        + (" Your `evaluate` runs with gradients on." if with_graph else ""),
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/system/value/seconds_per_evaluation",
            "/steps/preflight/system/value/seconds_per_update",
        ),
        fixes=(
            Fix(
                title="Evaluate less, or more cheaply",
                advice="`torch.no_grad()` around it"
                if with_graph
                else "every few epochs, or on a fixed part of the rows",
            ),
        ),
        key="evaluate",
    )
