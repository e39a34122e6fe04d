"""Did trying a fix help? Known answers."""

import math
from typing import Any

import pytest

from diagnoser.evidence.steps import Treatment
from diagnoser.findings import Fix, FixState
from diagnoser.trials import Outcome, Transform
from rules.confirmation import compare, find, state
from tests.helpers import make

DONE, DIVERGED, TIMED_OUT = Outcome.COMPLETED, Outcome.DIVERGED, Outcome.TIMED_OUT
CURE = Fix(title="Remove the softmax", transforms=(Transform.REMOVE_FINAL_ACTIVATION,))


def tried(before: tuple[float | None, ...], after: tuple[float | None, ...], **changes: object) -> Treatment:
    count = len(before)
    outcomes = {"before_outcomes": (DONE,) * count, "after_outcomes": (DONE,) * count}
    losses = {"before_loss": (1.0,) * count, "after_loss": (1.0,) * count}
    arms = {"before": before, "after": after, "seeds": tuple(range(count))}
    return make.treatment(**(arms | outcomes | losses | changes))


def test_a_clear_gain_is_verified_and_put_into_words() -> None:
    verdict = compare(make.treatment())
    assert verdict.state is FixState.VERIFIED
    assert verdict.before == "validation accuracy 0.11 (3 of 3 seeds)"
    assert verdict.after == "validation accuracy 0.9667 (3 of 3 seeds)"
    assert verdict.note == "validation accuracy was better in 3 of 3 seeds"


def test_the_interval_is_that_of_students_t() -> None:
    verdict = compare(tried((0.5, 0.5, 0.5), (0.6, 0.7, 0.8)))
    assert verdict.difference == pytest.approx(0.2)
    assert verdict.interval is not None
    half = 4.302652729696142 * 0.1 / math.sqrt(3)  # t(0.975, 2 degrees of freedom), from a table
    assert verdict.interval == pytest.approx((0.2 - half, 0.2 + half))
    assert verdict.state is FixState.INCONCLUSIVE


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((0.80, 0.81, 0.79), (0.90, 0.91, 0.89), FixState.VERIFIED),
        ((0.80, 0.81, 0.79), (0.80, 0.81, 0.79), FixState.REFUTED),  # it changed nothing
        ((0.80, 0.81, 0.79), (0.803, 0.813, 0.793), FixState.REFUTED),  # certain, and too small to matter
        ((0.80, 0.81, 0.79), (0.70, 0.72, 0.68), FixState.REFUTED),
        ((0.80, 0.81, 0.79), (0.60, 0.85, 0.79), FixState.REFUTED),  # worse in the mean
        ((0.80, 0.81, 0.79), (0.90, 0.80, 0.83), FixState.INCONCLUSIVE),
        ((0.80, 0.81), (0.90, 0.91), FixState.VERIFIED),  # two seeds, no spread
        ((0.80, 0.81), (0.90, 0.83), FixState.INCONCLUSIVE),  # two seeds with some
        ((0.80,), (0.99,), FixState.INCONCLUSIVE),  # one seed shows nothing
    ],
)
def test_the_state_follows_from_the_paired_differences(
    before: tuple[float, ...], after: tuple[float, ...], expected: FixState
) -> None:
    assert compare(tried(before, after)).state is expected


def test_a_gain_within_two_standard_errors_is_not_verified() -> None:
    arms = ((0.80, 0.80, 0.80), (0.83, 0.83, 0.83))
    assert compare(tried(*arms)).state is FixState.VERIFIED
    assert compare(tried(*arms, standard_error=0.02)).state is FixState.INCONCLUSIVE


def test_a_metric_for_which_lower_is_better_is_turned_round() -> None:
    changes = {"metric": "mae", "higher_is_better": False}
    assert compare(tried((4.0, 4.1, 3.9), (2.0, 2.1, 1.9), **changes)).state is FixState.VERIFIED
    assert compare(tried((2.0, 2.1, 1.9), (4.0, 4.1, 3.9), **changes)).state is FixState.REFUTED


def test_how_far_below_a_constant_the_untreated_runs_ended_does_not_drown_the_gain() -> None:
    wild = (-13.0, 0.37, -0.2, 0.42, 0.55, -1.4e9)
    assert compare(tried(wild, (0.87,) * 6, metric="r2")).state is FixState.VERIFIED
    assert compare(tried((-6.9,) * 6, (-0.02,) * 6, metric="r2")).state is FixState.VERIFIED  # less bad is better


def test_a_run_that_completes_where_all_untreated_diverged_is_verified() -> None:
    verdict = compare(tried((None, math.nan, 0.1), (0.7, 0.9, 0.3), before_outcomes=(DIVERGED,) * 3))
    assert verdict.state is FixState.VERIFIED
    assert verdict.before == "failed in 3 of 3 seeds"


def test_a_fix_under_which_every_run_diverges_is_refuted() -> None:
    assert compare(tried((0.7, 0.9, 0.3), (None, None, None), after_outcomes=(DIVERGED,) * 3)).state is FixState.REFUTED


def test_a_run_that_diverged_once_counts_as_the_worst_value_seen() -> None:
    verdict = compare(tried((None, 0.70, 0.71), (0.9, 0.90, 0.91), before_outcomes=(DIVERGED, DONE, DONE)))
    assert verdict.difference == pytest.approx(0.2)
    assert verdict.state is FixState.VERIFIED


def test_runs_that_failed_on_both_sides_show_nothing() -> None:
    both = {"before_outcomes": (DIVERGED,) * 3, "after_outcomes": (DIVERGED,) * 3}
    assert compare(tried((None,) * 3, (None,) * 3, **both)).state is FixState.INCONCLUSIVE


def test_a_task_without_a_metric_is_judged_by_its_loss_or_not_at_all() -> None:
    nothing = ((None,) * 3, (None,) * 3)
    losses = {"before_loss": (0.9, 0.91, 0.92), "after_loss": (0.1, 0.11, 0.12)}
    assert compare(tried(*nothing, **losses)).state is FixState.VERIFIED
    verdict = compare(tried(*nothing, **losses, loss_comparable=False))
    assert (verdict.state, verdict.note) == (FixState.INCONCLUSIVE, "no figure on validation was measured")


def test_a_run_that_ran_out_of_time_is_left_aside() -> None:
    verdict = compare(tried((0.5, 0.5, 0.5), (0.9, 0.9, None), after_outcomes=(DONE, DONE, TIMED_OUT)))
    assert verdict.state is FixState.VERIFIED
    assert verdict.after == "validation accuracy 0.9 (2 of 2 seeds)"


def test_at_the_ceiling_of_the_metric_the_validation_loss_decides() -> None:
    losses = {"before_loss": (0.9, 0.91, 0.92), "after_loss": (0.1, 0.11, 0.12)}
    ceiling = ((1.0, 0.999, 1.0), (1.0, 1.0, 1.0))
    assert compare(tried(*ceiling, **losses)).state is FixState.VERIFIED
    assert compare(tried(*ceiling, **losses, loss_comparable=False)).state is FixState.REFUTED


def test_a_fix_that_could_not_be_applied_says_why() -> None:
    verdict = compare(make.treatment(error=make.user_error(message="no such layer")))
    assert verdict.state is FixState.INCONCLUSIVE
    assert verdict.note == "it could not be applied: ValueError: no such layer"


def test_a_fix_is_found_by_what_it_does_under_whichever_finding_it_was_tried() -> None:
    treatments = make.treatments(make.treatment(rule="another-rule", title="Other words"))
    assert find(treatments, CURE) is not None
    assert find(treatments, Fix(title="Remove the softmax", patch={"epochs": 3})) is None
    assert find(None, CURE) is None


def test_the_state_of_several_fixes_is_the_best_of_them() -> None:
    longer = Fix(title="Longer", patch={"epochs": 40})
    refuted = make.treatment(patch={"epochs": 40}, transforms=(), after=(0.11, 0.10, 0.12))
    assert state(make.treatments(refuted, make.treatment()), longer, CURE) is FixState.VERIFIED
    assert state(make.treatments(refuted), longer, CURE) is FixState.REFUTED
    assert state(make.treatments(), longer, CURE) is FixState.UNTESTED
    assert state(None, CURE) is FixState.UNTESTED
    assert state(make.treatments(make.treatment()), Fix(title="Read it", advice="Think.")) is FixState.UNTESTED


def test_a_loss_in_units_of_other_targets_proves_nothing() -> None:
    arms = ((9e9, 9.1e9, 8.9e9), (0.5, 0.5, 0.5))
    units: dict[str, Any] = {"transforms": (Transform.STANDARDISE_TARGETS,), "patch": {}, "higher_is_better": False}
    for metric in ("loss", "mae"):
        assert compare(tried(*arms, **units, metric=metric)).state is FixState.INCONCLUSIVE
    units |= {"metric": "r2", "higher_is_better": True}
    assert compare(tried((0.1, 0.1, 0.1), (0.9, 0.9, 0.9), **units)).state is FixState.VERIFIED


def test_another_loss_proves_nothing_where_the_loss_is_the_metric() -> None:
    changes: dict[str, Any] = {
        "metric": "loss",
        "higher_is_better": False,
        "patch": {"loss": "huber_loss"},
        "transforms": (),
    }
    assert compare(tried((4.0, 4.1, 3.9), (2.0, 2.1, 1.9), **changes)).state is FixState.INCONCLUSIVE


def test_a_gain_in_a_loss_below_zero_is_measured_from_its_start() -> None:
    changes: dict[str, Any] = {"metric": "loss", "higher_is_better": False}
    arms = ((-0.283, -0.284, -0.282), (-0.293, -0.294, -0.292))  # 3.5 % of the value, 0.8 % of the way from 1
    assert compare(tried(*arms, start_loss=1.0, **changes)).state is FixState.REFUTED
    arms = ((-0.283, -0.284, -0.282), (-0.383, -0.384, -0.382))
    assert compare(tried(*arms, start_loss=1.0, **changes)).state is FixState.VERIFIED


def test_a_loss_that_is_next_to_nothing_already_has_nothing_to_gain() -> None:
    changes: dict[str, Any] = {"metric": "loss", "higher_is_better": False, "start_loss": 1.6}
    assert compare(tried((0.0039, 0.0040, 0.0038), (0.0011, 0.0012, 0.0010), **changes)).state is FixState.REFUTED
    assert compare(tried((0.39, 0.40, 0.38), (0.11, 0.12, 0.10), **changes)).state is FixState.VERIFIED
