"""Simple models beside scikit-learn's own, which look everything up anew: not one prediction may differ."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors

from diagnoser.training.probes.simple_models import NEIGHBOURS, simple_models

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(300, 12)).astype(np.float32)
OTHERS = RNG.normal(size=(200, 12)).astype(np.float32)
TARGETS = {
    "class": RNG.integers(7, size=300),
    "binary": RNG.integers(2, size=300),
    "multilabel": RNG.integers(2, size=(300, 9)),
    "real": RNG.normal(size=(300, 2)),
}


def test_the_nearest_rows_outvote_the_farther_ones_and_of_equals_the_smallest_label_wins() -> None:
    x = np.array([[0.0], [0.1], [0.2], [0.3], [0.4], [9.0]], dtype=np.float32)
    knn = simple_models("class", "accuracy", x)["knn"]
    asked = np.array([[0.2]], dtype=np.float32)
    assert knn(np.array([3, 3, 3, 1, 1, 1]))(asked).tolist() == [3]
    assert knn(np.array([3, 3, 1, 1, 2, 2]))(asked).tolist() == [1]
    mean = simple_models("real", "r2", x)["knn"]
    assert mean(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 100.0]))(asked) == pytest.approx(3.0)


@pytest.mark.parametrize("kind", TARGETS)
def test_k_nn_answers_as_scikit_learns_does(kind: str) -> None:
    y = TARGETS[kind]
    slow = (KNeighborsRegressor if kind == "real" else KNeighborsClassifier)(NEIGHBOURS, algorithm="brute").fit(ROWS, y)
    predict = simple_models(kind, "accuracy", ROWS)["knn"](y)
    for rows in (OTHERS, ROWS):
        np.testing.assert_array_equal(predict(rows), slow.predict(rows))


def test_other_targets_for_the_same_rows_need_no_second_search(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = 0
    search = NearestNeighbors.kneighbors

    def counted(self, *arguments, **settings):
        nonlocal searches
        searches += 1
        return search(self, *arguments, **settings)

    monkeypatch.setattr(NearestNeighbors, "kneighbors", counted)
    knn = simple_models("class", "accuracy", ROWS)["knn"]
    y = TARGETS["class"]
    answers = [knn(targets)(OTHERS) for targets in (y, y[::-1], y)]
    assert searches == 1
    np.testing.assert_array_equal(answers[0], answers[2])
    assert (answers[0] != answers[1]).any()
