"""How does the signal grow or fade from layer to layer in an untrained model?"""

from collections.abc import Callable

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import Overfit
from diagnoser.records import is_finite
from rules import rates

NORMALISING = ("Norm",)
"""Part of the class name of every normalisation layer of torch: BatchNorm2d, LayerNorm, RMSNorm, GroupNorm."""


def weight_layers(model: ModelProfile) -> tuple[LayerProfile, ...]:
    """Layers that multiply by weights, in the order of the forward pass."""
    return tuple(
        layer for layer in model.layers if layer.parameters > 0 and layer.eps is None and not _normalises(layer)
    )


def normalised(model: ModelProfile) -> bool:
    """Whether layers on the way bring the signal back to one scale."""
    return any(_normalises(layer) for layer in model.layers)


def run(model: ModelProfile, holds: Callable[[float], bool]) -> tuple[LayerProfile, ...]:
    """The longest run of neighbouring weight layers whose output std over their predecessor's satisfies `holds`."""
    longest: tuple[LayerProfile, ...] = ()
    current: tuple[LayerProfile, ...] = ()
    before: float | None = None
    for layer in weight_layers(model):
        source = before if before is not None else layer.input_std
        after = layer.output_std
        known = source is not None and after is not None and is_finite(source) and is_finite(after) and source > 0
        current = (*current, layer) if known and after is not None and source and holds(after / source) else ()
        longest = max(longest, current, key=len)
        before = after
    return longest


def reinitialised_passes(overfit: Overfit) -> bool:
    """Whether the small set is learned with weights drawn anew and at no lr of the ladder without: a control."""
    plain = rates.plain_attempts(overfit)
    stuck = bool(plain) and all(rates.failed(attempt) for attempt in plain)
    return stuck and any(attempt.memorised for attempt in overfit.attempts if attempt.control == "reinitialised")


def _normalises(layer: LayerProfile) -> bool:
    return any(part in layer.type for part in NORMALISING)
