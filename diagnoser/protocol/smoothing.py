"""What is left of a noisy curve? Moving averages and a few shapes read from them."""

import math
from collections.abc import Sequence
from statistics import fmean, median

WINDOW = 20  # batches; CATALOGUE: "smoothed loss (20 batches)"


def moving_average(values: Sequence[float], *, window: int = WINDOW) -> tuple[float, ...]:
    """Trailing mean over up to `window` values; a non-finite value makes every mean that holds it non-finite."""
    return tuple(fmean(values[max(0, i + 1 - window) : i + 1]) for i in range(len(values)))


def centred_average(values: Sequence[float], *, window: int = 3) -> tuple[float, ...]:
    """Mean over a window centred on each value, shorter at the ends."""
    half = window // 2
    return tuple(fmean(values[max(0, i - half) : i + half + 1]) for i in range(len(values)))


def tail_mean(values: Sequence[float], *, share: float = 0.2) -> float | None:
    """Mean of the last share of the values, at least one; None when there are none."""
    if not values:
        return None
    return fmean(values[-max(1, round(share * len(values))) :])


def thin(values: Sequence[float], *, at_most: int) -> tuple[float, ...]:
    """Every n-th value, the last one kept, so that at most about `at_most` remain."""
    if len(values) <= at_most:
        return tuple(values)
    step = math.ceil(len(values) / at_most)
    kept = list(values[::step])
    if (len(values) - 1) % step:
        kept.append(values[-1])
    return tuple(kept)


def finite(values: Sequence[float | None]) -> tuple[float, ...]:
    """The values that are numbers and finite."""
    return tuple(v for v in values if v is not None and math.isfinite(v))


def middle(values: Sequence[float | None]) -> float | None:
    """Median of the finite values; None when there are none."""
    kept = finite(values)
    return median(kept) if kept else None


def slope(values: Sequence[float]) -> float | None:
    """Least-squares slope per step; None for fewer than two values."""
    if len(values) < 2:
        return None
    centre = (len(values) - 1) / 2
    mean = fmean(values)
    spread = sum((i - centre) ** 2 for i in range(len(values)))
    return sum((i - centre) * (v - mean) for i, v in enumerate(values)) / spread


def autocorrelation(values: Sequence[float], *, lag: int) -> float | None:
    """Correlation of a curve, its trend removed, with itself `lag` steps later; None when it is too short or flat."""
    if lag < 2 or len(values) < 3 * lag:
        return None
    trend = centred_average(values, window=2 * (lag // 2) + 1)
    rest = [v - t for v, t in zip(values, trend, strict=True)]
    left, right = rest[:-lag], rest[lag:]
    spread = math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))
    return sum(a * b for a, b in zip(left, right, strict=True)) / spread if spread > 0 else None
