"""Does the loss become NaN or infinite?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import CurveRun, Curves, InitialLoss, Overfit
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.trials import Outcome
from rules import rates, user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The loss is not finite",
    why="One NaN spreads to every weight with the next update: the model is lost from there on.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/autograd.html#anomaly-detection",),
)
FIX = Fix(
    title="Find the operation that breaks",
    advice="run one batch under `torch.autograd.detect_anomaly()`; look for log or division of 0, exp of a large "
    "number and an lr that is too high",
)


def check(
    initial: InitialLoss | None, overfit: Overfit | None, curves: Curves | None, model: ModelProfile | None
) -> Iterator[Finding | Passed]:
    if initial is None and overfit is None and curves is None:
        raise Unjudged("no run was made whose loss could be looked at")
    expected = "a finite loss at every update"
    if initial is not None and initial.observed:
        bad = sum(not is_finite(value) for value in initial.observed)
        if bad:
            first = initial.first_non_finite or (model.first_forward_non_finite if model is not None else None)
            yield _finding(
                when="before any update",
                seeds=f"{bad} of {len(initial.observed)} initialisations",
                first=first,
                sure=bad > 1,
                pointer="/steps/initial_loss/value/observed",
                expected=expected,
            )
            return
    for loop, whose in (("ours", ""), ("user", " in your own loop")):
        runs = [run for run in curves.runs if run.loop == loop] if curves is not None else []
        broken = [run for run in runs if _broken(run)]
        if broken:
            at = min(_update(run) for run in broken)
            yield _finding(
                when=f"from update {at:,} on{whose}",
                seeds=f"{len(broken)} of {len(runs)} runs",
                first=next((run.first_non_finite for run in broken if run.first_non_finite), None),
                sure=user_runs.in_most(_broken(run) for run in runs),
                pointer="/steps/curves/value/runs",
                expected=expected,
            )
            return
    own = [a for a in rates.plain_attempts(overfit) if overfit is not None and rates.same(a.lr, overfit.user_lr)]
    lost = [a for a in own if a.outcome is Outcome.DIVERGED and not all(is_finite(v) for v in a.losses)]
    if lost and curves is None:
        yield _finding(
            when=f"within {max(a.updates for a in lost):,} updates on the small set",
            seeds=f"{len(lost)} of {len(own)} seeds",
            first=None,
            sure=user_runs.in_most(a in lost for a in own),
            pointer="/steps/overfit/value/attempts",
            expected=expected,
        )
        return
    yield Passed(observed=expected, expected=expected)


def _finding(*, when: str, seeds: str, first: str | None, sure: bool, pointer: str, expected: str) -> Finding:
    origin = f" The first value that is not finite: {first}." if first else ""
    return Finding(
        title=f"The loss is not finite {when}",
        message=f"The loss is NaN or infinite {when}, in {seeds}.{origin}",
        severity=Severity.ERROR if sure else Severity.WARNING,
        confidence=Confidence.HIGH if sure else Confidence.MEDIUM,
        observed=f"not finite {when}, in {seeds}",
        expected=expected,
        evidence=(pointer,),
        fixes=(FIX,),
        key="loss" if first == "loss" else "model",
        subject=first,
        by_definition=True,
    )


def _broken(run: CurveRun) -> bool:
    diverged = run.outcome is Outcome.DIVERGED
    return diverged and (run.first_non_finite is not None or not all(is_finite(v) for v in run.batch_losses))


def _update(run: CurveRun) -> int:
    """The first recorded update whose loss is not finite; the run's last one where none was recorded."""
    at = next((index * run.stride for index, value in enumerate(run.batch_losses) if not is_finite(value)), None)
    return run.updates if at is None else at
