"""Each class of curve is read from a curve that has it by construction, and from no healthy one."""

import math
from itertools import pairwise
from random import Random

import pytest

from diagnoser.evidence.steps import CurveReading
from diagnoser.protocol.curve_reading import Curve, read

EPOCHS = tuple(float(n) for n in range(1, 21))


def _falling(to: float, *, count: int = 400, fast: float = 5.0) -> tuple[float, ...]:
    return tuple(to + (2.3 - to) * math.exp(-fast * n / count) for n in range(count))


def _curve(**overrides):
    """A healthy run of 20 epochs of 20 batches: both losses fall, the metric levels out."""
    rising = tuple(0.95 - 0.8 * math.exp(-n) for n in range(20))
    healthy = {
        "batch_losses": _falling(0.05),
        "initial_loss": 2.3,
        "batches_per_epoch": 20.0,
        "epochs": EPOCHS,
        "train_loss": _falling(0.05, count=20),
        "train_metric": rising,
        "validation_loss": _falling(0.1, count=20),
        "validation_metric": rising,
    }
    return Curve.model_validate(healthy | overrides)


def _read(curve: Curve) -> CurveReading:
    reading = read(curve)
    assert reading is not None
    return reading


def test_a_healthy_run_is_a_good_fit_and_nothing_bad():
    assert _read(_curve()).classes == ("good_fit",)


def test_two_points_are_enough_and_one_is_not():
    assert read(Curve(train_loss=(2.0,))) is None
    assert read(Curve(train_loss=(2.0, 1.0))) is not None


SPIKY = tuple(v + (3.0 if n in {100, 200, 300} else 0.0) for n, v in enumerate(_falling(0.05)))
PERIODIC = tuple(v + 0.5 * math.sin(2 * math.pi * n / 20) for n, v in enumerate(_falling(0.5)))
RISING = tuple(0.2 + 0.03 * n for n in range(20))
ZIGZAG = tuple(1.0 + (0.5 if (n // 20) % 2 else -0.5) for n in range(400))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("divergence", {"batch_losses": (*_falling(0.5)[:200], *(2.3 * 1.05**n for n in range(200)))}),
        ("divergence", {"batch_losses": (*_falling(0.5)[:200], math.nan)}),
        ("spikes", {"batch_losses": SPIKY}),
        ("periodic", {"batch_losses": PERIODIC}),
        ("oscillation", {"batch_losses": ZIGZAG}),
        ("plateau", {"batch_losses": (2.0,) * 400}),
        ("underfit", {"batch_losses": (2.0,) * 400}),
        ("late_start", {"batch_losses": (2.3,) * 200 + _falling(0.05, count=200)}),
        ("overfit", {"train_metric": (1.0,) * 20, "validation_metric": (0.7,) * 20}),
        ("still_improving", {"train_metric": RISING, "validation_metric": RISING}),
    ],
)
def test_a_curve_is_called_what_it_is(name, change):
    assert name in _read(_curve(**change)).classes


def test_a_noisy_validation_curve_is_told_from_a_smooth_one():
    random = Random(0)
    noisy = tuple(0.8 + random.uniform(-0.1, 0.1) for _ in range(20))
    assert "noisy_validation" in _read(_curve(validation_metric=noisy)).classes


def test_overfitting_has_the_epoch_of_its_onset():
    validation = tuple(2.0 - 0.2 * n if n <= 5 else 1.0 + 0.1 * (n - 5) for n in range(20))
    assert _read(_curve(validation_loss=validation)).onset_of_overfitting == pytest.approx(6.0, abs=1)


def test_the_best_epoch_of_a_falling_error_is_its_lowest_point():
    error = tuple(abs(n - 10) / 10 for n in range(20))
    assert _read(_curve(validation_metric=error, higher_is_better=False)).best_epoch == 11.0


def test_noise_of_single_batches_is_no_spike() -> None:
    random = Random(0)  # means of a few rows with a heavy tail: the batch loss always jumps
    noisy = tuple(v + sum(random.expovariate(1.0) - 1.0 for _ in range(8)) / 4 for v in _falling(0.05))
    assert sum(v - u > 0.5 * 2.3 for u, v in pairwise(noisy)) > 10
    assert _read(_curve(batch_losses=noisy)).spikes < 3
    assert _read(_curve(batch_losses=SPIKY)).spikes == 3


def test_a_loss_that_falls_below_zero_is_measured_by_its_fall() -> None:
    below = tuple(v - 2.2 for v in _falling(0.05, count=20))  # from 0.1 to -2.15, steadily
    shifted = {"batch_losses": tuple(v - 2.2 for v in _falling(0.05)), "initial_loss": 0.1}
    reading = _read(_curve(train_loss=below, validation_loss=below, **shifted))
    assert reading.onset_of_overfitting is None
    assert reading.classes == ("good_fit",)
