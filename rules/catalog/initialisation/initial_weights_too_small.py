"""Do the initial weights let the signal fade?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile, OptimizerProfile
from diagnoser.evidence.steps import Curves, Overfit, Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.trials import Transform
from rules import claims, normalising, signal, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Initial weights are too small",
    why="Where each layer shrinks the signal, little gradient reaches the first ones: training starts late or never.",
    since="0.1",
    references=("https://arxiv.org/abs/1502.01852",),
)
SHRINKS = 0.5  # per layer; PyTorch's default Linear with ReLU shrinks to 0.41 and is healthy at 8 layers with Adam
IN_A_ROW = 4
HARDLY_MOVES = 0.01  # update ratio of the first layer / that of the last (CATALOGUE)
FIX = Fix(title="Re-initialise: Kaiming for ReLU, Xavier for tanh and sigmoid", transforms=(Transform.REINITIALISE,))
CURED = (
    "gradients-vanish",
    "learning-rate-too-low",
    "loss-plateaus",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "too-few-epochs",
)


def check(
    model: ModelProfile,
    curves: Curves | None,
    overfit: Overfit | None,
    optimizer: OptimizerProfile | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if model.equal_for_different_seeds:
        raise NotApplicable("every build has the same weights: they are pretrained, not initial")
    fading = signal.run(model, lambda factor: factor < SHRINKS)
    expected = f"fewer than {IN_A_ROW} layers in a row that halve the signal"
    if len(fading) < IN_A_ROW:
        yield Passed(observed=f"at most {len(fading)} layers in a row halve the signal", expected=expected)
        return
    first_to_last = _first_to_last(model, curves, optimizer)
    if first_to_last is None:
        raise Unjudged("the signal shrinks layer by layer, but how much the layers move was not measured")
    observed = (
        f"the signal more than halves in {len(fading)} layers in a row, "
        f"and the first layer moves {first_to_last:.2g} times as much as the last"
    )
    if first_to_last >= HARDLY_MOVES:
        yield Passed(observed=observed, expected=f"a first layer that moves at least {HARDLY_MOVES:g} times as much")
        return
    claim = claims.claim(treatments, FIX)
    control = overfit is not None and signal.reinitialised_passes(overfit)
    late = curves is not None and user_runs.classed(user_runs.ours(curves), "late_start", "plateau", "underfit")
    severity, confidence = claim.severity, claim.confidence
    if not claim.verified and (control or late):
        severity, confidence = Severity.WARNING, Confidence.MEDIUM
    yield Finding(
        message=f"Before training, {observed}."
        + (" The small set is learned once the weights are drawn anew." if control else "")
        + claim.words,
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/layers",),
        fixes=(FIX, *normalising.fixes(model)),
        explains=CURED if claim.verified or control else (),
        key="model",
        subject=fading[0].path,
    )


def _first_to_last(model: ModelProfile, curves: Curves | None, optimizer: OptimizerProfile | None) -> float | None:
    """Update ratio of the first weight layer over that of the last; under SGD it follows from gradients and weights."""
    if curves is not None:
        seen = []
        for run in user_runs.ours(curves):
            if len(run.layers) > 1 and run.layers[0].update_ratio and run.layers[-1].update_ratio:
                first, last = run.layers[0].update_ratio[0], run.layers[-1].update_ratio[0]
                seen.append(first / last if is_finite(first) and is_finite(last) and last > 0 else None)
        if (middle := user_runs.middle(seen)) is not None:
            return middle
    if optimizer is None or optimizer.name != "SGD":
        return None
    ratios = [
        layer.gradient_norm / layer.weight_norm
        for layer in signal.weight_layers(model)
        if layer.gradient_norm is not None and layer.weight_norm
    ]
    return ratios[0] / ratios[-1] if len(ratios) > 1 and ratios[-1] > 0 else None
