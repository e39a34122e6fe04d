"""Do the metrics agree with scikit-learn's?"""

import math
from typing import Any

import pytest
import torch
from sklearn import metrics as reference

from diagnoser.spec.fields import Task
from diagnoser.training.metrics import Metric, confusion

GENERATOR = torch.Generator().manual_seed(0)
SCORES = torch.randn(200, 4, generator=GENERATOR)
LABELS = torch.randint(4, (200,), generator=GENERATOR)
REAL = torch.randn(200, 2, generator=GENERATOR)


def score(name: str, task: Task, outputs: Any, targets: Any, **given: Any) -> float:
    metric = Metric(name=name, higher_is_better=True, task=task, **given)
    halves = [metric.keep(o, t) for o, t in zip(outputs.split(70), targets.split(70), strict=True)]
    return metric.score(halves)


def test_metrics_of_classes() -> None:
    predicted = SCORES.argmax(1)
    of = Task.CLASSIFICATION
    assert score("accuracy", of, SCORES, LABELS) == pytest.approx(reference.accuracy_score(LABELS, predicted))
    balanced = reference.balanced_accuracy_score(LABELS, predicted)
    assert score("balanced_accuracy", of, SCORES, LABELS) == pytest.approx(balanced)
    assert score("f1", of, SCORES, LABELS) == pytest.approx(reference.f1_score(LABELS, predicted, average="macro"))


def test_metrics_of_two_classes_use_the_threshold_of_the_loss() -> None:
    z, y = SCORES[:, :1], (LABELS > 1).float()[:, None]
    for outputs, threshold in ((z, 0.0), (torch.sigmoid(z), 0.5)):
        predicted = (z > 0).long()
        given = {"threshold": threshold}
        assert score("accuracy", Task.BINARY, outputs, y, **given) == pytest.approx(
            reference.accuracy_score(y, predicted)
        )
        assert score("f1", Task.BINARY, outputs, y[:, 0], **given) == pytest.approx(reference.f1_score(y, predicted))


def test_metrics_of_several_labels() -> None:
    y = (REAL[:, :1] + SCORES > 0).float()
    predicted = (SCORES > 0).long()
    assert score("f1", Task.MULTILABEL, SCORES, y) == pytest.approx(reference.f1_score(y, predicted, average="micro"))


def test_metrics_of_numbers() -> None:
    outputs = REAL + 0.3 * SCORES[:, :2]
    r2 = reference.r2_score(REAL, outputs, multioutput="variance_weighted")
    assert score("r2", Task.REGRESSION, outputs, REAL) == pytest.approx(r2)
    assert score("r2", Task.REGRESSION, outputs[:, :1], REAL[:, 0]) == pytest.approx(
        reference.r2_score(REAL[:, 0], outputs[:, 0])
    )
    assert score("mae", Task.REGRESSION, outputs, REAL) == pytest.approx(reference.mean_absolute_error(REAL, outputs))


def test_tokens_are_counted_each_and_ignored_labels_are_not() -> None:
    outputs = SCORES.reshape(50, 4, 4)
    targets = LABELS.reshape(50, 4).clone()
    right = (outputs.argmax(-1) == targets)[:, 1:].float().mean()
    targets[:, 0] = -100
    found = score("accuracy", Task.LANGUAGE_MODEL, outputs, targets, class_axis=2, ignored=-100)
    assert found == pytest.approx(float(right))


def test_the_users_metric_gets_all_rows_at_once() -> None:
    seen: list[tuple[int, int]] = []

    def mine(outputs: Any, targets: Any) -> float:
        seen.append((len(outputs), len(targets)))
        return 0.5

    assert score("mine", Task.CLASSIFICATION, SCORES, LABELS, function=mine) == 0.5
    assert seen == [(200, 200)]


def test_metrics_of_the_loss() -> None:
    metric = Metric(name="perplexity", higher_is_better=False, task=Task.LANGUAGE_MODEL)
    assert metric.score([], loss=math.log(65)) == pytest.approx(65)
    assert math.isnan(metric.score([], loss=math.nan))


def test_confusion_counts_pairs_and_leaves_foreign_labels_out() -> None:
    truth, predicted = torch.tensor([0, 0, 1, 7, -1]), torch.tensor([0, 1, 1, 0, 0])
    assert confusion(predicted, truth, classes=2).tolist() == [[1, 1], [0, 1]]


def test_numbers_that_do_not_vary_have_no_r2() -> None:
    assert math.isnan(score("r2", Task.REGRESSION, REAL, torch.ones_like(REAL)))
