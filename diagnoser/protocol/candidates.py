"""Which configurations does a search try? Grids, random draws, and how two of them are told apart."""

import itertools
import json
import math
from random import Random

from diagnoser.records import JsonValue
from diagnoser.spec.fields import Choices, Range, TrainingSpec

Values = dict[str, JsonValue]
"""Dotted spec key -> value: one configuration of a search."""

LR_FACTORS = (1.0, 0.5, 2.0)  # DESIGN 6.4
WEIGHT_DECAYS = (0.0, 1e-5, 1e-4, 1e-3)  # DESIGN 6.4
LR, WEIGHT_DECAY = "optimizer.lr", "optimizer.weight_decay"


def name(values: Values) -> str:
    """One text per configuration, whatever the order of its keys."""
    return json.dumps(values, sort_keys=True)


def user_configuration(spec: TrainingSpec, *, lr: float, keys: tuple[str, ...]) -> Values:
    """The user's own values of lr, weight decay and any other searched key that the spec names."""
    own: Values = {LR: lr, WEIGHT_DECAY: spec.optimizer.weight_decay}
    document = spec.model_dump(mode="json")
    for key in keys:
        if key not in own:
            found: JsonValue = document
            for part in key.split("."):
                found = found.get(part) if isinstance(found, dict) else None
            if found is not None:
                own[key] = found
    return own


def grid(*, centre: float, user_weight_decay: float) -> tuple[Values, ...]:
    """The scan's proposal and its neighbours times weight decay: the user's own first, then a tenth and others."""
    decays = dict.fromkeys((user_weight_decay, *WEIGHT_DECAYS, user_weight_decay / 10))
    cells = itertools.product(LR_FACTORS, decays)
    return tuple({LR: _round(centre * factor), WEIGHT_DECAY: decay} for factor, decay in cells)


def draw(ranges: dict[str, Range | Choices], *, count: int, seed: int) -> tuple[Values, ...]:
    """Independent random configurations, uniform on each range's own scale (Bergstra and Bengio 2012)."""
    random = Random(seed)
    return tuple({key: _draw(ranges[key], random) for key in sorted(ranges)} for _ in range(count))


def default_ranges(*, centre: float) -> dict[str, Range | Choices]:
    """Lr within a factor of two of the proposal, weight decay log-uniform: the plane of the grid."""
    return {
        LR: Range(range=(centre / 2, centre * 2), scale="log"),
        WEIGHT_DECAY: Range(range=(1e-6, 1e-3), scale="log"),
    }


def as_point(values: Values, keys: tuple[str, ...]) -> tuple[float, ...]:
    """A configuration as coordinates for a model: logarithms for positive numbers, a stable code for the rest."""
    return tuple(_coordinate(values.get(key)) for key in keys)


def _coordinate(value: JsonValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return float(sum(json.dumps(value).encode()) % 97)
    return math.log10(max(float(value), 1e-8))


def _draw(range_: Range | Choices, random: Random) -> JsonValue:
    if isinstance(range_, Choices):
        return random.choice(range_.values)
    low, high = range_.range
    match range_.scale:
        case "log":
            return _round(10 ** random.uniform(math.log10(low), math.log10(high)))
        case "one_minus_log":  # momentum 0.9..0.999 is even in log(1 - momentum)
            return _round(1 - 10 ** random.uniform(math.log10(1 - high), math.log10(1 - low)), digits=6)
        case "int":
            return random.randint(round(low), round(high))
        case _:
            return _round(random.uniform(low, high))


def _round(value: float, *, digits: int = 3) -> float:
    return float(f"{value:.{digits}g}")
