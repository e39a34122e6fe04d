"""Simple models on data where the answer is known."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import Baselines
from diagnoser.spec.fields import Metric, Task
from diagnoser.training.probes import baselines as baselines_probe
from diagnoser.training.probes.baselines import scorer
from diagnoser.training.probes.bigram import Tables
from diagnoser.training.unsupported import Unsupported
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import CLASSES, FEATURES, Pair, blobs, workload

PROBE = Probe(probe=ProbeKind.BASELINES)


def baselines(data: Any = None, **settings: Any) -> Baselines:
    return baselines_probe.measure(workload(data=data, **settings), PROBE)


def score(seen: Baselines, name: str) -> float:
    return next(score.validation for score in seen.scores if score.name == name)


def test_separable_classes_are_told_apart_by_simple_models() -> None:
    seen = baselines()
    assert [s.name for s in seen.scores] == ["majority", "linear", "knn"]
    assert seen.metric == "accuracy"
    assert score(seen, "linear") > 0.95
    assert score(seen, "knn") > 0.95
    assert seen.chance == score(seen, "majority") < 0.4
    assert (seen.held_out_training or 0) > 0.95
    assert seen.permutation == (0, 1, 2, 3)
    assert 0 < seen.standard_error < 0.03


def test_labels_of_validation_that_are_shifted_by_one_are_found_again() -> None:
    x, y = blobs(200, seed=2)
    seen = baselines((blobs(320, seed=1), (x, (y + 1) % CLASSES)))
    assert score(seen, "linear") < 0.05
    assert (seen.held_out_training or 0) > 0.95
    assert (seen.best_permuted_validation or 0) > 0.95
    assert seen.permutation == (3, 0, 1, 2)


def test_labels_without_their_inputs_leave_everything_at_chance() -> None:
    x, y = blobs(600, seed=1)
    order = torch.randperm(600, generator=torch.Generator().manual_seed(0))
    seen = baselines(((x, y[order]), blobs(400, seed=2)))
    assert (seen.held_out_training or 1) == pytest.approx(1 / CLASSES, abs=0.1)


def test_training_on_permuted_labels_gives_chance() -> None:
    noisy = (blobs(1000, seed=1, noise=4.0), blobs(1000, seed=2, noise=4.0))
    assert baselines(noisy).permuted_labels_score == pytest.approx(1 / CLASSES, abs=0.08)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1"])
def test_a_rare_class_counts_as_the_metric_says(metric: str) -> None:
    def rare(rows: int, seed: int) -> Pair:
        x, y = blobs(rows, seed=seed)
        keep = (y == 0) | (torch.arange(rows) % 12 == 0)
        return x[keep], (y[keep] > 0).long()

    def model() -> nn.Module:
        return nn.Linear(FEATURES, 2)

    seen = baselines((rare(800, 1), rare(400, 2)), model=model, metric=Metric(name=metric))
    assert seen.metric == metric
    assert score(seen, "majority") == {"balanced_accuracy": 0.5, "f1": 0.0}[metric]
    assert score(seen, "linear") > 0.8


def real(rows: int, *, seed: int) -> Pair:
    x, _ = blobs(rows, seed=seed)
    noise = torch.randn(rows, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, :3].sum(1) + 0.1 * noise)[:, None]


@pytest.mark.parametrize("metric", ["r2", "mae"])
def test_a_linear_target_is_met_by_a_linear_model(metric: str) -> None:
    data = (real(300, seed=1), real(100, seed=2))
    settings: dict[str, Any] = {"model": lambda: nn.Linear(FEATURES, 1), "loss": "mse_loss", "task": Task.REGRESSION}
    seen = baselines(data, metric=Metric(name=metric, higher_is_better=metric == "r2"), **settings)
    if metric == "r2":
        assert seen.chance == pytest.approx(0, abs=0.05)
        assert score(seen, "linear") > 0.99
    else:
        assert score(seen, "linear") == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.2)
        assert seen.held_out_training == pytest.approx(score(seen, "linear"), rel=0.3)
        assert score(seen, "linear") < score(seen, "knn") < seen.chance
    assert seen.best_permuted_validation is None


def test_several_labels_a_row_are_scored_together() -> None:
    def several(rows: int, seed: int) -> Pair:
        x, _ = blobs(rows, seed=seed)
        return x, (x[:, :CLASSES] > x[:, :CLASSES].median()).float()

    seen = baselines((several(300, 1), several(100, 2)), loss="binary_cross_entropy_with_logits", task=Task.MULTILABEL)
    assert seen.metric == "f1"
    assert score(seen, "linear") > 0.85


def chain(rows: int, *, seed: int) -> Tensor:
    """Tokens that follow a known rule in nine of ten cases: next = (3 * token + 1) mod 11."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((rows, 13), dtype=np.int64)
    ids[:, 0] = rng.integers(11, size=rows)
    for t in range(12):
        ids[:, t + 1] = np.where(rng.random(rows) < 0.9, (3 * ids[:, t] + 1) % 11, rng.integers(11, size=rows))
    return torch.from_numpy(ids)


@pytest.mark.parametrize("metric", ["accuracy", "loss", "perplexity"])
def test_pairs_of_tokens_reach_what_their_rule_allows(metric: str) -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Embedding(11, 4), nn.Linear(4, 11))

    train, validation = chain(400, seed=1), chain(1000, seed=2)
    data = ((train[:, :-1], train[:, 1:]), (validation[:, :-1], validation[:, 1:]))
    seen = baselines(data, model=model, task=Task.LANGUAGE_MODEL, metric=Metric(name=metric))
    likely, other = 0.9 + 0.1 / 11, 0.1 / 11
    entropy = -likely * np.log(likely) - 10 * other * np.log(other)
    known = {"accuracy": likely, "loss": entropy, "perplexity": np.exp(entropy)}
    assert score(seen, "bigram") == pytest.approx(known[metric], rel=0.08)
    assert seen.held_out_training == pytest.approx(known[metric], rel=0.1)
    assert seen.scores[0].name == "majority"


def test_pair_tables_are_proper_distributions() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(5, size=(20, 6)), rng.integers(5, size=(20, 6))
    tables = Tables(x, y, 7)
    for token in range(7):
        every = np.arange(7)[None, :]
        nats = [tables.by_pair(np.full((1, 1), token), every[:, [n]])[0][0] for n in range(7)]
        assert np.exp(-np.array(nats)).sum() == pytest.approx(1.0)


def test_without_targets_or_with_a_metric_of_the_users_own_it_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="loss"):
        baselines(metric=Metric(name="loss", higher_is_better=False))
    with pytest.raises(Unsupported, match="few"):
        baselines((blobs(10, seed=1), blobs(10, seed=2)))


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1"])
def test_figures_are_defined_as_in_training(name: str) -> None:
    given = workload(metric=Metric(name=name))
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(CLASSES, size=80), rng.integers(CLASSES, size=80)
    output = nn.functional.one_hot(torch.from_numpy(predicted), CLASSES).float()
    assert scorer("class", name)(truth, predicted) == pytest.approx(given.metric(output, torch.from_numpy(truth)))


def test_a_target_that_is_the_input_is_no_task_for_a_simple_model() -> None:
    x = torch.rand(200, FEATURES, generator=torch.Generator().manual_seed(0))
    with pytest.raises(Unsupported, match="copy"):
        baselines(((x, x), (x[:80], x[:80])), model=lambda: nn.Linear(FEATURES, FEATURES), loss="mse_loss", task=None)
