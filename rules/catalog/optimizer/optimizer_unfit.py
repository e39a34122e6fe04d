"""Would another optimizer train this model better?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import OptimizerProfile
from diagnoser.evidence.steps import Curves, LrScan, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.spec.fields import TrainingSpec
from rules import claims, rates, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The optimizer does not suit the model",
    why="Plain gradient descent crawls where curvatures differ; an adaptive method or momentum walks.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#ada",),
)
SETTLED = 3.5  # times: the lr within half a decade, a step of the grid, of the scan's best; else the lr comes first
ADAM = Fix(
    title="Use Adam at its default learning rate",
    patch={"optimizer.name": "adam", "optimizer.lr": 1e-3, "optimizer.momentum": None},
)
MOMENTUM = Fix(title="Add a momentum of 0.9", patch={"optimizer.momentum": 0.9})
SLOW = ("underfit", "plateau", "late_start")


def check(
    spec: TrainingSpec,
    optimizer: OptimizerProfile,
    curves: Curves,
    scan: LrScan | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if spec.optimizer.factory is not None:
        raise NotApplicable("the optimizer is built by your own factory, which cannot be exchanged from here")
    if "adam" in optimizer.name.lower():
        raise NotApplicable(f"{optimizer.name} is the usual first choice")
    runs = user_runs.ours(curves)
    observed = f"{optimizer.name}; the curve is {', '.join(_classes(curves)) or 'not classed'}"
    expected = "a curve that neither starts late nor stays up"
    if not user_runs.classed(runs, *SLOW):
        yield Passed(observed=observed, expected=expected)
        return
    proposal = rates.scanned(scan)
    if scan is not None and proposal is not None:
        far = max(proposal.lr, scan.user_lr) > SETTLED * min(proposal.lr, scan.user_lr)
        if far:
            raise Unjudged(f"the scan proposes lr {proposal.lr:g} instead of {scan.user_lr:g}; that comes first")
    still = optimizer.name == "SGD" and not optimizer.settings.get("momentum")
    fixes = (ADAM, MOMENTUM) if still else (ADAM,)
    claim = claims.claim(treatments, *fixes, least=claims.MATTERS)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{optimizer.name}; others were tried and are not better", expected=expected)
        return
    yield Finding(
        title=f"{optimizer.name} does not suit the model" if claim.verified else f"{optimizer.name} may be the brake",
        message=f"With {optimizer.name} at a learning rate near its best, the curve is "
        f"{', '.join(_classes(curves))}.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/optimizer/value/name", "/steps/curves/value/runs"),
        fixes=fixes,
        key="optimizer.name",
    )


def _classes(curves: Curves) -> tuple[str, ...]:
    """The shapes of the first of our runs, in words."""
    reading = user_runs.ours(curves)[0].reading
    return tuple(name.replace("_", " ") for name in reading.classes) if reading is not None else ()
