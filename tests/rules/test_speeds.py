"""When is another batch or precision faster, and when is validation clearly worse with it?"""

import pytest

from diagnoser.evidence.batch_size import Speed
from diagnoser.findings import Fix
from rules import speeds
from rules.rule import NotApplicable, Unjudged
from tests.helpers import make

FIX = Fix(title="bfloat16", patch={"precision": "bfloat16"})


def speed(*seconds: float, rows: int = 32) -> Speed:
    return Speed(batch_size=rows, precision="float32", seconds=seconds)


def test_twice_the_rows_in_the_same_time_are_a_gain_of_two() -> None:
    assert speeds.gains(speed(0.1, 0.1, rows=64), speed(0.1, 0.1)) == (2.0, 2.0)


def test_every_round_must_be_faster() -> None:
    assert speeds.faster(speed(0.05, 0.06), speed(0.1, 0.1), times=1.5)
    assert not speeds.faster(speed(0.05, 0.09), speed(0.1, 0.1), times=1.5)


def test_one_round_proves_nothing() -> None:
    with pytest.raises(Unjudged, match="only once"):
        speeds.faster(speed(0.05), speed(0.1), times=1.5)
    assert not speeds.faster(speed(0.1), speed(0.1), times=1.5)


def test_what_did_not_fit_is_not_faster() -> None:
    assert not speeds.faster(speed(), speed(0.1, 0.1), times=1.5)
    assert speeds.gains(None, speed(0.1)) == ()


def test_a_cpu_is_not_asked_and_an_accelerator_that_was_not_timed_is_unjudged() -> None:
    with pytest.raises(NotApplicable):
        speeds.measured(make.system_profile(device="cpu"))
    with pytest.raises(Unjudged):
        speeds.measured(make.system_profile(device="cuda:0"))


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ((0.95, 0.95, 0.95), (0.95, 0.951, 0.949), False),  # as good: a faster step need not be better
        ((0.95, 0.95, 0.95), (0.949, 0.949, 0.949), False),  # worse by less than matters
        ((0.95, 0.95, 0.96), (0.90, 0.91, 0.91), True),
        ((0.95, 0.95, 0.96), (0.80, 0.99, 0.95), False),  # seeds differ by more
        ((0.80, 0.80, 0.80), (0.95, 0.95, 0.96), False),
    ],
)
def test_validation_is_clearly_worse_beyond_the_seeds(
    before: tuple[float, ...], after: tuple[float, ...], worse: bool
) -> None:
    tried = make.treatments(make.treatment(patch=FIX.patch, transforms=(), before=before, after=after))
    assert speeds.clearly_worse(tried, FIX) is worse
    assert "became" in speeds.tried(tried, FIX)


def test_what_was_not_tried_is_not_worse() -> None:
    assert not speeds.clearly_worse(None, FIX)
    assert speeds.tried(None, FIX) == ""
