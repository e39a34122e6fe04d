"""Are both sides of a fix measured by one yardstick?"""

import math
from typing import Any

import pytest

from diagnoser.findings import Fix
from diagnoser.protocol import yardstick
from diagnoser.protocol.yardstick import Sides
from diagnoser.records import JsonValue
from diagnoser.trials import Evaluation, Outcome, Transform, TrialResult

WEIGHED = Fix(title="", transforms=(Transform.WEIGHT_CLASSES,))
FOCAL = Fix(title="", patch={"loss": "focal_loss"})
TURNED = Fix(title="", transforms=(Transform.NEGATE_LOSS,))
OTHER = Fix(title="", patch={"optimizer.lr": 0.1})


def result(
    metric: float, *, loss: float = 0.5, recalls: tuple[float, ...] = (), confusion: tuple[tuple[int, ...], ...] = ()
) -> TrialResult:
    end = Evaluation(
        updates=9, epoch=1.0, lr=0.1, train_loss=loss, train_metric=metric, validation_loss=loss,
        validation_metric=metric,
    )  # fmt: skip
    return TrialResult(
        outcome=Outcome.COMPLETED, evaluations=(end,), recalls=recalls, confusion=confusion, losses=(loss, loss / 2)
    )


def ends(sides: Sides) -> Any:
    before, after = ([one.evaluations[-1].validation_metric for one in side] for side in sides)
    return before, after


GIVEN_UP: Sides = ((result(0.95, recalls=(1.0, 0.0)),), (result(0.90, recalls=(0.9, 0.8)),))


@pytest.mark.parametrize("fix", [WEIGHED, FOCAL, Fix(title="", patch={"loss": {"name": "focal_loss"}})])
def test_cures_of_imbalance_are_judged_by_the_mean_recall_and_not_by_accuracy(fix: Fix) -> None:
    before, after = ends(yardstick.alike(fix, GIVEN_UP, metric="accuracy"))
    assert (before, after) == ([0.5], [pytest.approx(0.85)])
    assert yardstick.metric_of(fix, GIVEN_UP, metric="accuracy") == "balanced_accuracy"


@pytest.mark.parametrize(("fix", "metric"), [(OTHER, "accuracy"), (WEIGHED, "f1"), (WEIGHED, "balanced_accuracy")])
def test_every_other_fix_and_metric_stays_as_it_is(fix: Fix, metric: str) -> None:
    assert yardstick.alike(fix, GIVEN_UP, metric=metric) == GIVEN_UP
    assert yardstick.metric_of(fix, GIVEN_UP, metric=metric) == metric
    assert yardstick.standard_error_of(fix, GIVEN_UP, metric=metric, known=0.01) == 0.01


def test_where_one_run_has_no_recalls_accuracy_is_all_there_is() -> None:
    sides: Sides = (GIVEN_UP[0], (result(0.9),))
    assert yardstick.alike(WEIGHED, sides, metric="accuracy") == sides


def test_a_class_without_validation_rows_is_left_out_of_the_mean() -> None:
    sides: Sides = ((result(0.9, recalls=(1.0, 0.5, math.nan)),), (result(0.9, recalls=(1.0, 0.7, math.nan)),))
    assert ends(yardstick.alike(WEIGHED, sides, metric="accuracy")) == ([0.75], [pytest.approx(0.85)])


def test_the_error_of_the_mean_recall_is_that_of_its_rarest_class() -> None:
    table = ((900, 100), (8, 8))  # recalls 0.9 of 1,000 rows and 0.5 of 16
    side = (result(0.89, recalls=(0.9, 0.5), confusion=table),)
    error = yardstick.standard_error_of(WEIGHED, (side, side), metric="accuracy", known=0.01)
    assert error == pytest.approx(0.5 * (0.25 / 16 + 0.09 / 1000) ** 0.5, rel=0.01)


@pytest.mark.parametrize(("metric", "turned"), [("loss", -3.0), ("perplexity", 1 / 3), ("accuracy", 3.0)])
def test_an_untreated_loss_is_read_with_the_sign_that_the_fix_gives_it(metric: str, turned: float) -> None:
    sides: Sides = ((result(3.0, loss=-7.0),), (result(0.4, loss=0.4),))
    (before,), after = yardstick.alike(TURNED, sides, metric=metric)
    assert before.evaluations[-1].validation_loss == 7.0
    assert before.evaluations[-1].validation_metric == pytest.approx(turned)
    assert before.losses == (7.0, 3.5)
    assert after == sides[1]


def test_a_run_without_an_evaluation_stays_without() -> None:
    failed = TrialResult(outcome=Outcome.DIVERGED, losses=(-1.0,))
    (before,), _ = yardstick.alike(TURNED, ((failed,), (result(0.9),)), metric="loss")
    assert before.evaluations == ()


def test_patches_are_looked_at_in_both_spellings() -> None:
    patch: dict[str, JsonValue] = {"loss": {"factory": "project:loss"}}
    assert yardstick.metric_of(Fix(title="", patch=patch), GIVEN_UP, metric="accuracy") == "accuracy"
