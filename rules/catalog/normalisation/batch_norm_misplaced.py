"""Does BatchNorm stand where it can help?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.trials import Transform
from rules import claims, norms
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="BatchNorm stands in an unusual place",
    why="Right before the output it fixes the scale of the answers, and a bias before it is subtracted again.",
    since="0.1",
    references=("https://arxiv.org/abs/1502.03167",),
)
EXPECTED = "linear or convolution without bias, BatchNorm, activation; none right before the output"
NAMED = 3
EFFECTS = ("batch-norm-statistics-stale", "overfitting")


def check(model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    layers = norms.batch_norms(model)
    if not layers:
        raise NotApplicable("the model has no BatchNorm")
    last = _answering(model, layers)
    late = tuple(layer for layer in _behind_activations(model.layers) if layer is not last)
    biased = tuple(layer for layer in model.layers if layer.bias_feeds_norm)
    misplaced = [layer for layer in (last, *late) if layer is not None]
    refuted = bool(misplaced) and claims.claim(treatments, _fix(last, late)).state is FixState.REFUTED
    if misplaced and not refuted:
        yield _order(last, late, treatments)
    if biased:
        yield _bias(biased)
    if not biased and (refuted or not misplaced):
        said = "the usual order was tried and is not better" if refuted else "none in an unusual place"
        yield Passed(observed=f"{len(layers)} BatchNorm layers, {said}", expected=EXPECTED)


def _answering(model: ModelProfile, layers: tuple[LayerProfile, ...]) -> LayerProfile | None:
    """The BatchNorm whose result is what the model answers: its last operation."""
    ends = model.output is not None and "BatchNorm" in model.output.final_operation
    return next((layer for layer in layers if not layer.hidden), layers[-1] if ends else None)


def _order(last: LayerProfile | None, late: tuple[LayerProfile, ...], treatments: Treatments | None) -> Finding:
    """What stands in an unusual place: custom alone until the usual order was clearly better."""
    fix = _fix(last, late)
    claim = claims.claim(treatments, fix)
    behind = ", ".join(f"`{layer.path}`" for layer in late[:NAMED])
    said = []
    if last is not None:
        said.append(
            f"`{last.path}` is the last layer: whatever the weights before it, every output has the mean and spread "
            "that BatchNorm gives it."
        )
    if late:
        more = f" and {len(late) - NAMED} more" if len(late) > NAMED else ""
        said.append(f"{behind}{more} normalise{'s' if len(late) == 1 else ''} what an activation has cut already.")
    first = last if last is not None else late[0]
    return Finding(
        title=f"`{first.path}` normalises the outputs"
        if last is not None
        else f"{len(late)} BatchNorm {'layer stands' if len(late) == 1 else 'layers stand'} behind an activation",
        message=" ".join(said) + claim.words,
        severity=claim.severity,
        confidence=claim.confidence,
        observed=f"`{first.path}` {'right before the output' if last is not None else 'behind an activation'}",
        expected=EXPECTED,
        evidence=("/steps/preflight/model/value/layers",),
        fixes=(fix,),
        explains=EFFECTS if claim.verified else (),
        key="model",
        subject=first.path,
    )


def _fix(last: LayerProfile | None, late: tuple[LayerProfile, ...]) -> Fix:
    advice = [f"remove `{last.path}`"] if last is not None else []
    advice += [f"put `{late[0].path}` between the weights and their activation"] if late else []
    return Fix(
        title="End with a plain linear layer" if last is not None and not late else "Normalise before the activation",
        transforms=(Transform.MOVE_NORM,),
        advice="; ".join(advice),
    )


def _behind_activations(layers: tuple[LayerProfile, ...]) -> tuple[LayerProfile, ...]:
    """BatchNorms that a module of an activation precedes, and a weight layer that one; dropouts aside.

    Behind another normalisation the order is right: a block of its own begins there, as in a DenseNet.
    """
    shown = [layer for layer in layers if "Dropout" not in layer.type]
    return tuple(
        norm
        for weights, activation, norm in zip(shown, shown[1:], shown[2:], strict=False)
        if norms.is_batch_norm(norm)
        and norm.training_mode
        and not activation.parameters
        and activation.activation not in ("none", "softmax")
        and weights.type.startswith(("Linear", "Conv"))
    )


def _bias(biased: tuple[LayerProfile, ...]) -> Finding:
    names = ", ".join(f"`{layer.path}`" for layer in biased[:NAMED])
    more = f" and {len(biased) - NAMED} more" if len(biased) > NAMED else ""
    return Finding(
        title="A bias before BatchNorm does nothing",
        message=f"The bias of {names}{more} is subtracted again by the BatchNorm behind it: its gradient is 0.",
        severity=Severity.INFO,
        confidence=Confidence.HIGH,  # theory: the batch mean contains it
        observed=f"{len(biased)} layers with such a bias",
        expected=EXPECTED,
        evidence=("/steps/preflight/model/value/layers",),
        fixes=(Fix(title="Leave the bias out", advice="`bias=False` in the layer before BatchNorm"),),
        key="model",
        subject=biased[0].path,
        by_definition=True,
    )
