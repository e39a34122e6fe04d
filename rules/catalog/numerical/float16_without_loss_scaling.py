"""Is training in float16 lost to gradients that round to zero or overflow?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="float16 is used without loss scaling",
    why="float16 ends at 6e-8 below and 65,504 above: small gradients become 0 and large ones infinite.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling", "https://arxiv.org/abs/1710.03740"),
)
BRAIN = Fix(title="Use bfloat16", patch={"precision": "bfloat16"})
FULL = Fix(title="Use float32", patch={"precision": "float32"})
SCALER = Fix(
    title="Scale the loss in your loop",
    advice="take `scaler` as an argument: `scaler.scale(loss).backward()`, `scaler.step(optimizer)`, `scaler.update()`",
)
EFFECTS = ("gradients-vanish", "non-finite-loss", "loss-plateaus", "loss-spikes")


def check(
    spec: TrainingSpec, loop: LoopAudit | None, curves: Curves | None, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    if spec.precision != "float16":
        raise NotApplicable(f"the run is in {spec.precision}")
    if curves is None:
        raise Unjudged("no run in float16 was made")
    lost = [run.outcome is Outcome.DIVERGED for run in curves.runs]
    stuck = user_runs.classed(curves.runs, "plateau", "underfit")
    expected = "runs that learn in float16"
    if not any(lost) and not stuck:
        yield Passed(observed="no run is lost, and none stands still", expected=expected)
        return
    claim = claims.claim(treatments, BRAIN, FULL)
    if claim.state is FixState.REFUTED:
        yield Passed(observed="another precision was tried and is not better", expected=expected)
        return
    observed = f"{sum(lost)} of {len(lost)} runs lost" if any(lost) else "the loss stands still on a high level"
    broken = claim.verified and user_runs.in_most(lost)
    yield Finding(
        title="Training fails in float16",
        message=f"With `precision: float16` {observed}.{claim.words}",
        severity=Severity.ERROR if broken else claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/spec/precision", "/steps/curves/value/runs"),
        fixes=(BRAIN, FULL, *((SCALER,) if loop is not None and loop.has_loop else ())),
        explains=EFFECTS if claim.verified else (),
        key="precision",
    )
