"""Known answers of the small curve functions."""

import math

import pytest

from diagnoser.protocol import smoothing


def test_a_moving_average_of_a_constant_is_that_constant():
    assert smoothing.moving_average((2.0,) * 50) == (2.0,) * 50


def test_a_moving_average_trails_a_ramp_by_half_its_window():
    assert smoothing.moving_average(tuple(float(n) for n in range(10)), window=3)[-1] == 8.0


def test_a_non_finite_value_is_not_smoothed_away():
    assert math.isnan(smoothing.moving_average((1.0, math.nan, 1.0), window=2)[2])


def test_the_slope_of_a_line_is_its_slope():
    assert smoothing.slope((1.0, 3.0, 5.0, 7.0)) == pytest.approx(2.0)


def test_one_point_has_no_slope():
    assert smoothing.slope((1.0,)) is None


def test_thinning_keeps_the_last_value():
    kept = smoothing.thin(tuple(float(n) for n in range(1001)), at_most=100)
    assert len(kept) <= 101
    assert kept[-1] == 1000.0


def test_a_periodic_curve_correlates_with_itself_one_period_later():
    curve = tuple(math.sin(2 * math.pi * n / 10) for n in range(200))
    assert smoothing.autocorrelation(curve, lag=10) == pytest.approx(1.0, abs=0.05)
    assert smoothing.autocorrelation(curve, lag=5) == pytest.approx(-1.0, abs=0.05)
