"""Is the gradient of one batch little more than noise?"""

import math
from collections.abc import Iterator
from statistics import median

from diagnoser.evidence.batch_size import GradientNoise
from diagnoser.evidence.preflight import Assumptions, DataProfile, OptimizerProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec
from rules import claims, user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The batches are too small",
    why="Where the rows of a batch disagree more than they agree, most of an update is chance.",
    since="0.1",
    references=("https://arxiv.org/abs/1812.06162", "https://doi.org/10.1007/s10107-012-0572-5"),
)
NOISY = 10.0  # variance over the squared gradient; calibration: batch_size_too_small.md
LARGER = 4  # times, in the paired run over as many rows
ALL = 0.1  # of the training rows: a batch above this is large (batch-size-too-large)
FEWEST_UPDATES = 200  # left in the whole run, else the larger batch is too large for it (batch-size-too-large)
IN_PROPORTION = "SGD"  # its step is as long as the gradient: lr x 4; of those that divide by its size the root, x 2


def check(
    spec: TrainingSpec,
    optimizer: OptimizerProfile,
    assumptions: Assumptions,
    data: DataProfile,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    noise = optimizer.gradient_noise
    if noise is None:
        raise Unjudged("no gradients of single batches could be compared")
    ratios = _ratios(noise, accumulated=spec.accumulate_batches)
    shown = " and ".join(f"{median(look):.2g}" for look in ratios)
    after = " and ".join(
        "at the start" if look.updates == 0 else f"after {look.updates} updates" for look in noise.looks
    )
    observed = f"the gradient's variance is {shown} times its square, {after}"
    expected = f"at most {NOISY:g} times, at one of them"
    batch = spec.data.batch_size * spec.accumulate_batches
    updates = assumptions.total_updates // LARGER
    room = LARGER * batch <= ALL * data.train.rows and updates >= FEWEST_UPDATES
    flags = [[ratio > NOISY for ratio in look] for look in ratios]
    noisy = all(any(look) for look in flags) and all(user_runs.enough(look) for look in flags)
    if not noisy or not room:
        few = "" if not noisy else f"; {LARGER} times the rows would leave {updates:,} updates"
        yield Passed(observed=f"{observed}{few}", expected=expected)
        return
    fix = _fix(spec, assumptions.effective_lr, optimizer=optimizer.name)
    claim = claims.claim(treatments, fix, least=claims.MATTERS)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; {LARGER} times the rows were tried and are not better", expected=expected)
        return
    yield Finding(
        title=f"Batches of {batch} are mostly noise",
        message=f"Between batches of {batch} rows {observed}: most of an update is chance.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/optimizer/value/gradient_noise", "/spec/data/batch_size"),
        fixes=(fix,),
        key="data.batch_size",
    )


def _ratios(noise: GradientNoise, *, accumulated: int) -> tuple[tuple[float, ...], ...]:
    """Variance over squared mean of the gradient of one update, per look and initialisation."""
    return tuple(
        tuple(
            _ratio(variance, square) / accumulated
            for variance, square in zip(look.variance, look.mean_square, strict=True)
        )
        for look in noise.looks
    )


def _ratio(variance: float, square: float) -> float:
    if square > 0:
        return variance / square
    return math.inf if variance > 0 else 0.0  # no gradient at all is no noise


def _fix(spec: TrainingSpec, lr: float, *, optimizer: str) -> Fix:
    """Four times the rows over as many epochs, at the lr that belongs to them."""
    higher = float(f"{lr * (LARGER if optimizer == IN_PROPORTION else math.sqrt(LARGER)):.2g}")
    size = LARGER * spec.data.batch_size
    patch: dict[str, JsonValue] = {"data.batch_size": size, "optimizer.lr": higher}
    if spec.steps is not None:
        patch["steps"] = max(1, spec.steps // LARGER)
    return Fix(title=f"Batches of {size} at a learning rate of {higher:g}", patch=patch)
