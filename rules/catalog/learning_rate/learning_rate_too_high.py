"""Is the learning rate too high?"""

import math
from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import CoarseSearch, Curves, FineSearch, LrScan, Overfit, ScanPoint, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome
from rules import claims, rates, user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The learning rate is too high",
    why="Each update overshoots: the loss jumps, stays up or is lost, and units die on the way.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#loss", "https://arxiv.org/abs/1506.01186"),
)
LOWER = 3.0  # CATALOGUE: the control is a run at a third of the user's lr or less
DOUBLES = 2.0  # times its own minimum, and above its start: the rise is no noise near zero
FALLS = 0.05  # of the initial loss, at the lower lr: something is learned there
EDGE = 3.0  # times: this close to the lowest lr that diverges a line is due, no more
WHOLE_LAYER_DEAD = 0.9  # at step 0: then it was not the lr
EFFECTS = (
    "loss-diverges",
    "non-finite-loss",
    "loss-oscillates",
    "loss-spikes",
    "gradients-explode",
    "seed-dependent-training",
    "gradient-clip-always-active",
    "underfitting",
    "nothing-learned",
)
ONLY_WHEN_VERIFIED = ("batch-size-too-small", "warm-up-missing")


class _Seen(NamedTuple):
    """What the two controls showed, as sentences; empty: nothing."""

    scan: str
    small_set: str


def check(
    *,
    spec: TrainingSpec,
    scan: LrScan | None,
    overfit: Overfit | None,
    coarse: CoarseSearch | None,
    fine: FineSearch | None,
    curves: Curves | None,
    model: ModelProfile | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if scan is None and overfit is None:
        raise Unjudged("neither the scan nor the small set was measured")
    lr = scan.user_lr if scan is not None else overfit.user_lr if overfit is not None else spec.optimizer.lr
    seen = _Seen(scan=_diverges_in_scan(scan, lr), small_set=_fails_on_small_set(overfit, lr))
    broken = bool(seen.scan or seen.small_set) and not _keeps_up(curves, scan, lr)
    hint = _hint(scan, rates.searched(coarse, fine), lr)
    observed, expected = f"lr {lr:g}", _expected(scan)
    if not (seen.scan or seen.small_set or hint):
        yield Passed(observed=observed, expected=expected)
        return
    lower = _lower(lr, scan, overfit, rates.searched(coarse, fine))
    fix = Fix(title=f"Lower the learning rate from {lr:g} to {lower.lr:g}", patch={"optimizer.lr": lower.lr})
    claim = claims.claim(treatments, fix)
    if claim.state is FixState.REFUTED and not broken:
        yield Passed(observed=f"{observed}; {lower.lr:g} was tried and is not better", expected=expected)
        return
    severity, confidence = claim.severity, claim.confidence
    if broken:
        severity = Severity.ERROR
        both = bool(seen.scan and seen.small_set)
        confidence = Confidence.HIGH if both or claim.verified else Confidence.MEDIUM
    sentences = [s for s in (*seen, hint) if s]
    yield Finding(
        title=f"The learning rate {lr:g} is too high"
        if severity is not Severity.INFO
        else f"The learning rate {lr:g} is high",
        message=" ".join(sentences) + claim.words,
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=_pointers(scan, overfit, seen, lower),
        fixes=(fix,),
        explains=_explains(model, seen, broken=broken, verified=claim.verified),
        key="optimizer.lr",
    )


def _diverges_in_scan(scan: LrScan | None, lr: float) -> str:
    """The user's lr is lost in at least two seeds, while a third of it or less learns in every seed seen."""
    point = rates.point(scan, lr)
    if scan is None or point is None:
        return ""
    lost = sum(_lost(point))
    if not user_runs.in_most(_lost(point)):
        return ""
    learns = [
        p
        for p in scan.points
        if LOWER * p.lr <= lr * rates.NEAR and not any(_lost(p)) and (rates.fall(p) or 0.0) > FALLS
    ]
    if not learns:
        return ""
    best = min(learns, key=lambda p: median(p.final))
    if median(best.final) > median(point.final) / DOUBLES:
        return ""
    return (
        f"At your learning rate {lr:g} the loss rises above its start or is lost in {lost} of {len(point.outcomes)} "
        f"seeds of the scan; at {best.lr:g} it falls to {median(best.final):.3g}."
    )


def _lost(point: ScanPoint) -> tuple[bool, ...]:
    return tuple(
        outcome is Outcome.DIVERGED or not math.isfinite(end) or (end > DOUBLES * max(low, 0.0) and end > start)
        for outcome, start, low, end in zip(point.outcomes, point.initial, point.lowest, point.final, strict=True)
    )


def _fails_on_small_set(overfit: Overfit | None, lr: float) -> str:
    """The small set fails at the user's lr in most seeds, and is learned at a third of it or less."""
    plain = rates.plain_attempts(overfit)
    own = [attempt for attempt in plain if rates.same(attempt.lr, lr)]
    below = [attempt.lr for attempt in plain if attempt.memorised and LOWER * attempt.lr <= lr * rates.NEAR]
    if not below or not user_runs.in_most(rates.failed(attempt) for attempt in own):
        return ""
    bad = sum(rates.failed(attempt) for attempt in own)
    return f"The small set is not learned at {lr:g} ({bad} of {len(own)} seeds), and is learned at {max(below):g}."


def _keeps_up(curves: Curves | None, scan: LrScan | None, lr: float) -> bool:
    """Whether the user's whole run ends no worse than the short scan did at its best lr: then it still learns."""
    best = rates.scanned(scan)
    point = rates.point(scan, best.lr) if best is not None else None
    if curves is None or point is None:
        return False
    ends = [
        user_runs.last(run.train_loss) if run.outcome is Outcome.COMPLETED else None
        for run in curves.runs
        if run.loop == "ours"
    ]
    return user_runs.in_most(end is not None and end <= median(point.final) for end in ends)


def _hint(scan: LrScan | None, searched: rates.Rate | None, lr: float) -> str:
    """A better lr lies at a third or less, or the edge is near and the best lr below."""
    best = searched or rates.scanned(scan)
    if best is not None and LOWER * best.lr <= lr * rates.NEAR:
        return f"{best.source.capitalize()} finds {best.lr:g} best, {lr / best.lr:.2g} times below yours."
    edge = scan.diverges_from if scan is not None else None
    proposal = rates.scanned(scan)
    if edge is not None and proposal is not None and lr * EDGE >= edge and lr > proposal.lr * rates.NEAR:
        return f"From {edge:g} on the loss diverges, which is close to your {lr:g}."
    return ""


def _lower(lr: float, scan: LrScan | None, overfit: Overfit | None, searched: rates.Rate | None) -> rates.Rate:
    """What to try: the searched winner, else the scan's proposal, else where the small set is learned, else a third."""
    for rate in (searched, rates.scanned(scan)):
        if rate is not None and LOWER * rate.lr <= lr * rates.NEAR:
            return rate._replace(lr=float(f"{rate.lr:.2g}"))
    passed = [a.lr for a in rates.plain_attempts(overfit) if a.memorised and LOWER * a.lr <= lr * rates.NEAR]
    if passed:
        return rates.Rate(float(f"{max(passed):.2g}"), "the small set", "/steps/overfit/value/attempts")
    return rates.Rate(rates.rounded(lr / LOWER), "a third of yours", "")


def _expected(scan: LrScan | None) -> str:
    if scan is None or scan.proposal is None:
        return "a learning rate at which the small set is learned"
    edge = f", well below {scan.diverges_from:g}, where it diverges" if scan.diverges_from is not None else ""
    return f"near {scan.proposal:g}, where the scan's loss is lowest{edge}"


def _pointers(scan: LrScan | None, overfit: Overfit | None, seen: _Seen, lower: rates.Rate) -> tuple[str, ...]:
    found = [lower.pointer] if lower.pointer else []
    if scan is not None:
        found += ["/steps/lr_scan/value/user_lr", "/steps/lr_scan/value/points"]
    if overfit is not None and (seen.small_set or scan is None):
        found.append("/steps/overfit/value/attempts")
    return tuple(dict.fromkeys(found))


def _explains(model: ModelProfile | None, seen: _Seen, *, broken: bool, verified: bool) -> tuple[str, ...]:
    """What is gone at the lower lr; dead or saturated units only when they were alive before the first update."""
    found: list[str] = list(EFFECTS) if (broken and seen.scan) or verified else []
    if seen.small_set or verified:
        found.append("small-set-not-memorised")
    if found and model is not None:
        hidden = [layer for layer in model.layers if layer.hidden]
        if all((layer.dead_share or 0.0) < WHOLE_LAYER_DEAD for layer in hidden):
            found.append("dead-relu-units")
        if all((layer.saturated_share or 0.0) < WHOLE_LAYER_DEAD for layer in hidden):
            found.append("saturated-activations")
    return (*found, *(ONLY_WHEN_VERIFIED if verified else ()))
