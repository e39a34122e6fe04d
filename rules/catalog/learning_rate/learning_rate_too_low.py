"""Is the learning rate too low?"""

from collections.abc import Iterator
from statistics import median

from diagnoser.evidence.steps import CoarseSearch, FineSearch, LrScan, Overfit, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from rules import claims, rates
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The learning rate is too low",
    why="The updates are too small for the length of the run: training ends long before the model has learned.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#loss",),
)
HIGHER = 10.0  # CATALOGUE: the best lr lies at 10 times the user's or more; short scans flatter high rates
HALF_AS_MUCH = 0.5  # of the fall at the best lr: a run that has fallen more than this is only a little slow
STANDS_STILL = 0.05  # of the initial loss, at the user's lr
LONG_ENOUGH = 100  # updates of the scan: shorter ones flatter high rates (CATALOGUE, no-learning-rate-works)
MOVES = 0.25  # of the initial loss, at ten times the user's lr
GRID_STEP = 3.3  # half a decade: the proposal has no room above it
FULL_SPEED = ("too-few-epochs", "underfitting", "loss-plateaus", "nothing-learned", "small-set-not-memorised")


def check(
    *,
    spec: TrainingSpec,
    scan: LrScan | None,
    overfit: Overfit | None,
    coarse: CoarseSearch | None,
    fine: FineSearch | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if scan is None and overfit is None:
        raise Unjudged("neither the scan nor the small set was measured")
    lr = scan.user_lr if scan is not None else overfit.user_lr if overfit is not None else spec.optimizer.lr
    slow_scan = _slow_in_scan(scan, lr)
    slow_set = _slow_on_small_set(overfit, lr)
    observed, expected = f"lr {lr:g}", _expected(scan)
    if not slow_scan and not slow_set:
        yield Passed(observed=observed, expected=expected)
        return
    fixes = _fixes(lr, scan, rates.searched(coarse, fine))
    claim = claims.claim(treatments, *fixes, least=claims.MATTERS)
    stands_still = bool(slow_set) and _fails_in_all_seeds(overfit, lr) and _stands_still(scan, lr)
    if claim.state is FixState.REFUTED and not stands_still:
        yield Passed(observed=f"{observed}; higher rates were tried and are not better", expected=expected)
        return
    severity, confidence = claim.severity, claim.confidence
    if stands_still and not claim.verified:
        severity, confidence = Severity.WARNING, Confidence.MEDIUM  # two controls, few seeds
    sure = severity is not Severity.INFO
    yield Finding(
        title=f"The learning rate {lr:g} is {'too low' if sure else 'low'}",
        message=" ".join(sentence for sentence in (slow_scan, slow_set) if sentence) + claim.words,
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=(
            *(("/steps/lr_scan/value/user_lr", "/steps/lr_scan/value/points") if scan is not None else ()),
            *(("/steps/overfit/value/attempts",) if slow_set else ()),
        ),
        fixes=fixes,
        explains=(*FULL_SPEED, "optimizer-unfit") if claim.verified else FULL_SPEED if sure else (),
        key="optimizer.lr",
    )


def _slow_in_scan(scan: LrScan | None, lr: float) -> str:
    """The best lr lies at ten times the user's or more, and the user's own is not half as far after as many updates."""
    best = rates.scanned(scan)
    if scan is None or best is None or best.lr * rates.NEAR < HIGHER * lr:
        return ""
    own, there = rates.fall(rates.point(scan, lr)), rates.fall(rates.point(scan, best.lr))
    if own is None or there is None or own > HALF_AS_MUCH * there:
        return ""
    return (
        f"In the scan the loss falls by {max(own, 0.0):.0%} in {scan.updates} updates at your {lr:g}, "
        f"and by {there:.0%} at {best.lr:g}."
    )


def _slow_on_small_set(overfit: Overfit | None, lr: float) -> str:
    """Most seeds do not learn the small set at the user's lr, one at ten times as much or more does."""
    plain = rates.plain_attempts(overfit)
    own = [attempt for attempt in plain if rates.same(attempt.lr, lr)]
    above = [a for a in plain if a.memorised and a.lr * rates.NEAR >= HIGHER * lr]
    between = any(a.memorised and lr * rates.NEAR < a.lr < HIGHER * lr / rates.NEAR for a in plain)
    slow = sum(not attempt.memorised for attempt in own)
    if not above or between or slow <= len(own) / 2:
        return ""
    best = min(above, key=lambda attempt: attempt.lr)
    return (
        f"The small set is not learned in {median(a.updates for a in own):.0f} updates at {lr:g} "
        f"({slow} of {len(own)} seeds), and is learned in {best.updates} at {best.lr:g}."
    )


def _fails_in_all_seeds(overfit: Overfit | None, lr: float) -> bool:
    own = [attempt for attempt in rates.plain_attempts(overfit) if rates.same(attempt.lr, lr)]
    return len(own) > 1 and not any(attempt.memorised for attempt in own)


def _stands_still(scan: LrScan | None, lr: float) -> bool:
    """At the user's lr the scan's loss hardly moves, at ten times as much or more it does."""
    own = rates.fall(rates.point(scan, lr))
    if scan is None or own is None or scan.updates < LONG_ENOUGH:
        return False
    above = [rates.fall(point) for point in scan.points if point.lr * rates.NEAR >= HIGHER * lr]
    return own < STANDS_STILL and any(fall is not None and fall > MOVES for fall in above)


def _fixes(lr: float, scan: LrScan | None, searched: rates.Rate | None) -> tuple[Fix, ...]:
    """The searched winner; else the scan's proposal, and below it first when the next step up diverges."""
    found: list[float] = []
    if searched is not None and searched.lr > GRID_STEP * lr:
        found = [float(f"{searched.lr:.2g}")]
    elif scan is not None and scan.proposal is not None and scan.proposal > GRID_STEP * lr:
        found = [float(f"{scan.proposal:.2g}")]
        if scan.diverges_from is not None and scan.proposal * GRID_STEP * rates.NEAR >= scan.diverges_from:
            found.insert(0, rates.rounded(scan.proposal / 3))
    found = [rate for rate in found if rate > lr] or [rates.rounded(HIGHER * lr)]
    return tuple(
        Fix(title=f"Raise the learning rate from {lr:g} to {rate:g}", patch={"optimizer.lr": rate}) for rate in found
    )


def _expected(scan: LrScan | None) -> str:
    if scan is None or scan.proposal is None:
        return "a learning rate at which the small set is learned"
    return f"within {HIGHER:g} times of {scan.proposal:g}, where the scan's loss is lowest"
