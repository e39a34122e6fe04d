"""What does a policy of halving choose on curves that are known?"""

import pytest

from benchmarks import rungs
from benchmarks.rungs import POINTS, Curve


def curve(*, start: float, end: float) -> Curve:
    """An accuracy that goes straight from one value to the other."""
    steps = (start + (end - start) * (point + 1) / POINTS for point in range(POINTS))
    return tuple((accuracy, 1 - accuracy) for accuracy in steps)


def test_curves_that_never_cross_are_chosen_without_regret_at_any_length() -> None:
    curves = [curve(start=0.0, end=0.1 + 0.05 * number) for number in range(16)]
    for policy in rungs.POLICIES.values():
        assert rungs.follow(policy, curves).regret == pytest.approx(0)


def test_the_best_that_starts_slowly_is_lost_at_a_short_rung() -> None:
    late = curve(start=-0.6, end=1.0)  # behind the others until it is a third of its way
    curves = [late, *(curve(start=0.2, end=0.5 + 0.01 * number) for number in range(15))]
    short = rungs.follow(((1 / 8, 4), (1.0, 1)), curves)
    assert short.regret == pytest.approx(100 * (1.0 - 0.64))
    assert rungs.follow(((3 / 4, 4), (1.0, 1)), curves).regret == 0


def test_a_policy_costs_its_rungs_each_from_the_beginning() -> None:
    curves = [curve(start=0.0, end=0.5 + 0.01 * number) for number in range(16)]
    trained = {name: rungs.follow(policy, curves).trained for name, policy in rungs.POLICIES.items()}
    assert list(trained.values()) == [8, 6, 7, 5, 3]


def test_a_run_that_diverged_comes_last() -> None:
    curves = [curve(start=0.9, end=0.9)[:3], *(curve(start=0.0, end=0.3) for _ in range(15))]
    assert rungs.follow(((1 / 4, 4), (1.0, 1)), curves).regret == pytest.approx(0)
