"""How does a pair of curves run? Numbers and classes, the same for our runs and for logs made elsewhere."""

import itertools
import math
from collections.abc import Sequence
from statistics import fmean, median

from diagnoser.evidence.steps import CurveReading
from diagnoser.protocol.smoothing import WINDOW, autocorrelation, centred_average, finite, moving_average, slope
from diagnoser.records import Record

LAST = 0.2  # of the run: "the last fifth"
SPIKE = 0.5  # of L0 above the local median (CATALOGUE, loss-spikes)
BATCH_NOISE = 5.0  # robust sd of the batch losses round their local median: a spike stands out from them
MAD_TO_SD = 1.4826  # of a normal distribution
AFTER = 0.1  # of the run before spikes count
TURNS = 1 / 3  # of the epochs (CATALOGUE, loss-oscillates)
SWING = 0.1  # of (L0 - minimum)
FLAT = 0.005  # of L0 over the last fifth (CATALOGUE, loss-plateaus)
LATE = 0.3  # of the run before the first tenth of the total fall
PERIOD = 0.5  # autocorrelation at a lag of one epoch
LOST = 0.02  # of the metric since its best
GAP = 0.10  # training minus validation
GAIN = 0.02  # of the metric, if the last slope went on
DIVERGED = 2.0  # times the running minimum, and above L0
HIGH = 0.5  # of L0: a loss that stays above has learned little
BEGUN = 0.1  # of the whole fall
NOISY = 0.1  # of the validation curve's own height
FEWEST_SPIKES = 3
BAD = {"divergence", "oscillation", "plateau", "overfit", "underfit", "periodic"}

ClassName = str


class Curve(Record):
    """What a run left behind; the tuples of one kind are of equal length."""

    batch_losses: tuple[float, ...] = ()
    initial_loss: float | None = None
    batches_per_epoch: float | None = None  # in units of batch_losses' index
    epochs: tuple[float, ...] = ()
    train_loss: tuple[float | None, ...] = ()
    train_metric: tuple[float | None, ...] = ()
    validation_loss: tuple[float | None, ...] = ()
    validation_metric: tuple[float | None, ...] = ()
    higher_is_better: bool = True


def read(curve: Curve) -> CurveReading | None:
    """Read the shape; None for a curve without two finite points."""
    losses = curve.batch_losses or finite(curve.train_loss)
    if len(losses) < 2:
        return None
    start = curve.initial_loss if curve.initial_loss is not None else losses[0]
    smooth = moving_average(losses, window=min(WINDOW, max(1, len(losses) // 5)))
    usable = finite(smooth)
    scale = _scale(start, usable)
    metric, sign = _metric(curve)
    smooth_metric = centred_average(metric) if metric else ()
    best = max(range(len(smooth_metric)), key=smooth_metric.__getitem__) if smooth_metric else None
    train_metric = [sign * v for v in curve.train_metric if v is not None]
    tail = _tail(metric)
    numbers = {
        "best_epoch": curve.epochs[best] if best is not None and best < len(curve.epochs) else None,
        "final_gap": train_metric[-1] - metric[-1] if train_metric and metric else None,
        "drop_since_best": smooth_metric[best] - smooth_metric[-1] if best is not None else None,
        "slope_last_fifth": slope(tail),
        "extrapolated_gain": _gain(metric),
        "loss_change_last_fifth": _last_change(usable, scale),
        "direction_changes": _turns(_epoch_means(curve, losses))[0],
        "swing": _swing(_epoch_means(curve, losses), start, usable),
        "spikes": _spikes(losses, scale),
        "lag_one_epoch_autocorrelation": _autocorrelation(curve, losses),
        "onset_of_overfitting": _onset(curve),
        "diverged_at": _diverged_at(losses, smooth, start),
    }
    return CurveReading.model_validate({"classes": _classes(numbers, usable, start, metric), **numbers})


def _metric(curve: Curve) -> tuple[list[float], float]:
    """The validation metric in the direction "higher is better"; minus the validation loss where there is none."""
    values = [v for v in curve.validation_metric if v is not None and math.isfinite(v)]
    if values:
        sign = 1.0 if curve.higher_is_better else -1.0
        return [sign * v for v in values], sign
    return [-v for v in curve.validation_loss if v is not None and math.isfinite(v)], -1.0


def _tail(values: Sequence[float]) -> Sequence[float]:
    return values[-max(2, math.ceil(LAST * len(values))) :]


def _gain(metric: Sequence[float]) -> float | None:
    steepness = slope(_tail(metric))
    return None if steepness is None else steepness * len(metric) / 2


def _last_change(smooth: Sequence[float], scale: float) -> float | None:
    if len(smooth) < 5:
        return None
    tail = smooth[-max(2, round(LAST * len(smooth))) :]
    return (tail[-1] - tail[0]) / scale


def _epoch_means(curve: Curve, losses: Sequence[float]) -> tuple[float, ...]:
    width = curve.batches_per_epoch
    if not curve.batch_losses or width is None or width < 1:
        return finite(curve.train_loss)
    count = int(len(losses) / width)
    chunks = (losses[round(i * width) : round((i + 1) * width)] for i in range(count))
    return finite([fmean(chunk) for chunk in chunks if chunk])


def _turns(means: Sequence[float]) -> tuple[float | None, list[float]]:
    """Share of epochs at which the curve turns, and the sizes of the steps against the trend."""
    if len(means) < 4:
        return None, []
    steps = [b - a for a, b in itertools.pairwise(means)]
    turns = sum(1 for a, b in itertools.pairwise(steps) if a * b < 0)
    return turns / len(means), [s for s in steps if s > 0]


def _swing(means: Sequence[float], start: float, smooth: Sequence[float]) -> float | None:
    rises = _turns(means)[1]
    fall = start - min(smooth, default=start)
    if not rises or not math.isfinite(fall) or fall <= 0:
        return None
    return median(rises) / fall


def _spikes(losses: Sequence[float], scale: float) -> int:
    first = round(AFTER * len(losses))
    rises = [losses[i] - median(losses[i - WINDOW : i]) for i in range(max(first, WINDOW), len(losses))]
    noise = MAD_TO_SD * median(abs(rise) for rise in rises) if rises else 0.0
    count, inside = 0, False
    for rise in rises:
        above = rise > max(SPIKE * scale, BATCH_NOISE * noise)
        count += above and not inside
        inside = above
    return count


def _autocorrelation(curve: Curve, losses: Sequence[float]) -> float | None:
    if curve.batches_per_epoch is None or not all(math.isfinite(v) for v in losses):
        return None
    return autocorrelation(losses, lag=round(curve.batches_per_epoch))


def _onset(curve: Curve) -> float | None:
    """The epoch after which the smoothed validation loss only rose while the training loss fell further."""
    pairs = [
        (e, t, v)
        for e, t, v in zip(curve.epochs, curve.train_loss, curve.validation_loss, strict=False)
        if t is not None and v is not None and math.isfinite(t) and math.isfinite(v)
    ]
    if len(pairs) < 5:
        return None
    validation = centred_average([v for _, _, v in pairs])
    lowest = min(range(len(validation)), key=validation.__getitem__)
    # CATALOGUE, overfitting: 5 % above its minimum; of the way it fell where the loss may be negative
    height = validation[lowest] if validation[lowest] > 0 else validation[0] - validation[lowest]
    rose = validation[-1] - validation[lowest] > 0.05 * height
    fell = pairs[-1][1] < pairs[lowest][1]
    return pairs[lowest][0] if rose and fell and lowest < len(pairs) - 3 else None


def _diverged_at(losses: Sequence[float], smooth: Sequence[float], start: float) -> int | None:
    broken = next((i for i, v in enumerate(losses) if not math.isfinite(v)), None)
    if broken is not None:
        return broken
    lowest = min(smooth)
    if smooth[-1] > max(start, DIVERGED * lowest) and smooth[-1] > start:
        return max(i for i, v in enumerate(smooth) if v <= start) if any(v <= start for v in smooth) else 0
    return None


def _classes(
    numbers: dict[str, float | None], smooth: Sequence[float], start: float, metric: Sequence[float]
) -> tuple[ClassName, ...]:
    """Every class whose condition holds; a good fit is what is left when no bad one does."""
    scale = _scale(start, smooth)
    end = smooth[-1] if smooth else math.inf

    def number(key: str) -> float:
        return numbers[key] or 0.0

    change = numbers["loss_change_last_fifth"]
    diverges = numbers["diverged_at"] is not None
    overfits = number("final_gap") > GAP or numbers["onset_of_overfitting"] is not None
    conditions: dict[ClassName, bool] = {
        "divergence": diverges,
        "spikes": number("spikes") >= FEWEST_SPIKES,
        "oscillation": number("direction_changes") > TURNS and number("swing") > SWING,
        "periodic": number("lag_one_epoch_autocorrelation") > PERIOD,
        "late_start": _starts_late(smooth, start),
        "plateau": change is not None and abs(change) < FLAT and end > HIGH * scale,
        "overfit": overfits,
        "still_improving": number("extrapolated_gain") > GAIN and number("drop_since_best") < LOST and not overfits,
        "noisy_validation": _is_noisy(metric),
        "underfit": end > HIGH * scale and not diverges and abs(number("final_gap")) <= GAP,
    }
    found = tuple(name for name, holds in conditions.items() if holds)
    return found if BAD & set(found) else ("good_fit", *found)


def _scale(start: float, smooth: Sequence[float]) -> float:
    """The size of the loss at the start; of the largest finite loss where the start is not finite.

    A loss that falls below 0 has its zero in no special place: the way that it fell is then the larger measure.
    """
    if math.isfinite(start):
        return max(abs(start), start - min(smooth, default=start), 1e-12)
    return max((abs(v) for v in smooth), default=1.0)


def _starts_late(smooth: Sequence[float], start: float) -> bool:
    fall = start - min(smooth, default=start)
    if len(smooth) < 10 or not fall > HIGH * _scale(start, smooth):
        return False
    begun = next((i for i, v in enumerate(smooth) if v < start - BEGUN * fall), 0)
    return begun > LATE * len(smooth)


def _is_noisy(metric: Sequence[float]) -> bool:
    if len(metric) < 5:
        return False
    height = max(metric) - min(metric)
    jitter = fmean(abs(a - b) for a, b in zip(metric, centred_average(metric), strict=True))
    return height > 0 and jitter > NOISY * height
