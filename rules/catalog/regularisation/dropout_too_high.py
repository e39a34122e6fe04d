"""Does dropout take away more than it gives?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import Curves, Overfit, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules import claims, regularised, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Dropout is too high",
    why="With most units switched off at each step, too little of the network is left to learn from it.",
    since="0.1",
    references=("https://jmlr.org/papers/v15/srivastava14a.html",),
)
DENSE, PICTURES, INPUTS = 0.5, 0.2, 0.1  # p above which a line is due (CATALOGUE)
WEIGHTS = ("Linear", "Conv", "LSTM", "GRU", "RNN", "Embedding", "Attention")
HALF = Fix(title="Halve the dropout", transforms=(Transform.HALVE_DROPOUT,))
NONE = Fix(title="Train without dropout", transforms=(Transform.NO_DROPOUT,))
INVERT = Fix(title="Drop 1 - p: share kept and share dropped confused", transforms=(Transform.INVERT_DROPOUT,))
EFFECTS = ("small-set-not-memorised", "underfitting", "loss-plateaus", "nothing-learned")


def check(
    spec: TrainingSpec,
    model: ModelProfile,
    overfit: Overfit | None,
    curves: Curves | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    dropouts = [layer for layer in model.layers if (layer.dropout or 0.0) > 0]
    if not dropouts:
        raise NotApplicable("the model has no dropout module")
    over = [layer for layer in dropouts if (layer.dropout or 0.0) > _usual(layer, model.layers)]
    worst = max(over or dropouts, key=lambda layer: layer.dropout or 0.0)
    p = worst.dropout or 0.0
    limit = _usual(worst, model.layers)
    held_back = curves is not None and _underfits(curves)
    blocked = regularised.blocks(overfit) if overfit is not None and spec.optimizer.weight_decay == 0 else None
    observed, expected = f"p = {p:g} in `{worst.path}`", f"at most {limit:g} there"
    if not (over or held_back or (blocked is not None and p > DENSE)):
        yield Passed(observed=observed, expected=expected)
        return
    fixes = (HALF, NONE, INVERT) if p > DENSE else (HALF, NONE)
    claim = claims.claim(treatments, *fixes)
    if claim.state is FixState.REFUTED and blocked is None:
        yield Passed(observed=f"{observed}; less was tried and is not better", expected=expected)
        return
    severity, confidence = claim.severity, claim.confidence
    if blocked is not None and over and not claim.verified:
        severity, confidence = Severity.WARNING, Confidence.MEDIUM  # a control in one seed
    yield Finding(
        title=f"Dropout of {p:g} in `{worst.path}`",
        message=f"`{worst.path}` drops {p:.0%} of its values."
        + (f" {blocked}" if blocked is not None and over else "")
        + (" The run ends with a high training loss and no gap." if held_back else "")
        + claim.words,
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/model/value/layers",
            *(("/steps/overfit/value/attempts",) if blocked is not None and over else ()),
        ),
        fixes=fixes,
        explains=EFFECTS if severity is Severity.WARNING else (),
        key="model",
        subject=worst.path,
    )


def _usual(layer: LayerProfile, layers: tuple[LayerProfile, ...]) -> float:
    """The highest usual p: on inputs when no weights come before, on pictures by class name, else dense."""
    before = layers[: layers.index(layer)]
    if not any(any(name in earlier.type for name in WEIGHTS) for earlier in before) and "Dropout" in layer.type:
        return INPUTS
    return PICTURES if layer.type in {"Dropout2d", "Dropout3d"} else DENSE


def _underfits(curves: Curves) -> bool:
    runs = [run for run in curves.runs if run.loop == "ours"]
    return user_runs.classed(runs, "underfit")
