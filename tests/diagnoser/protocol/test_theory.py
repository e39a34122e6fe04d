"""What a guess loses, for the losses that have a closed form."""

import math

import pytest

from diagnoser.protocol import theory
from diagnoser.spec.fields import Task
from tests.helpers import make


@pytest.mark.parametrize(
    ("family", "classes", "expected"),
    [
        ("cross_entropy", 10, math.log(10)),
        ("nll", 100, math.log(100)),
        ("bce", 1, math.log(2)),
        ("bce_with_logits", 1, math.log(2)),
        ("focal", 10, (1 - 1 / 10) ** 2 * math.log(10)),
    ],
)
def test_a_guess_loses_what_theory_says(family, classes, expected):
    known = make.assumptions(loss_family=family, classes=classes)
    assert theory.chance(make.spec(), known, None).value == pytest.approx(expected)


def test_a_squared_error_is_compared_with_the_mean_square_of_the_targets():
    data = make.data_profile(targets=make.target_profile(kind="real", mean=2.0, std=1.5))
    known = make.assumptions(loss_family="mse", task=Task.REGRESSION)
    assert theory.chance(make.spec(), known, data).value == pytest.approx(1.5**2 + 2.0**2)


def test_a_loss_of_the_users_own_has_no_theory_and_says_so():
    known = make.assumptions(loss_family="other", loss="project:my_loss")
    guess = theory.chance(make.spec(), known, None)
    assert guess.value is None
    assert "project:my_loss" in guess.because
