"""What does the reference network show of rows whose signal is known?"""

import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import Baselines, Reference
from diagnoser.spec.fields import Metric, Protocol, Task
from diagnoser.training.probes import baselines as baselines_probe
from diagnoser.training.probes import reference, reference_networks
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import FEATURES, Pair, workload


def measured(data: Any = None, **settings: Any) -> Baselines:
    return baselines_probe.measure(workload(data=data, **settings), Probe(probe=ProbeKind.BASELINES))


def learned(seen: Baselines) -> Reference:
    assert seen.reference is not None
    return seen.reference


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sign_product(rows: int, *, seed: int) -> Pair:
    """Two columns of eight decide by the sign of their product: a linear model can only guess."""
    x = normal(rows, FEATURES, seed=seed)
    return x, (x[:, 0] * x[:, 1] > 0).long()


def corner(rows: int, *, seed: int) -> Pair:
    """Which quarter of a noisy picture holds the bright square."""
    labels = torch.randint(4, (rows,), generator=torch.Generator().manual_seed(seed))
    x = normal(rows, 1, 12, 12, seed=seed + 1)
    for n, label in enumerate(labels.tolist()):
        top, left = 6 * (label // 2), 6 * (label % 2)
        x[n, 0, top + 1 : top + 5, left + 1 : left + 5] += 1.5
    return x, labels


def turning(rows: int, *, seed: int) -> Pair:
    """Whether a series has its bump in the first or in the second half."""
    labels = torch.randint(2, (rows,), generator=torch.Generator().manual_seed(seed))
    x = 0.3 * normal(rows, 20, 2, seed=seed + 1)
    for n, label in enumerate(labels.tolist()):
        x[n, 3 + 10 * label : 7 + 10 * label, 0] += 1.5
    return x, labels


def bracketed(rows: int, *, seed: int) -> Pair:
    """Token ids; the label says whether a 7 stands right behind a 3, which a bag of words does not know."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(8, (rows, 12), generator=generator)
    labels = torch.arange(rows) % 2
    ids[labels == 1, 5], ids[labels == 1, 6] = 3, 7
    return ids, ((ids[:, :-1] == 3) & (ids[:, 1:] == 7)).any(1).long()


def repeated(rows: int, *, seed: int) -> Pair:
    """Each token is the one two places before: a table of pairs is no better than a guess."""
    first = torch.randint(6, (rows, 2), generator=torch.Generator().manual_seed(seed))
    text = first.repeat(1, 9)
    return text[:, :-1], text[:, 1:]


def linear(rows: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(rows, 4))


def test_a_table_that_no_linear_model_can_learn_is_learned_by_the_network() -> None:
    seen = measured((sign_product(1200, seed=1), sign_product(400, seed=2)))
    simple = next(score.validation for score in seen.scores if score.name == "linear")
    assert simple < 0.6
    found = learned(seen)
    assert found.network == "perceptron"
    assert found.validation > simple + 0.2
    assert found.rows_used == 960
    assert found.validation_loss < 0.6931


def test_pictures_series_and_texts_have_a_network_of_their_own() -> None:
    cases = {
        "convolution": (corner, lambda: linear(144)),
        "recurrent": (turning, lambda: linear(40)),
        "bag_of_embeddings": (bracketed, lambda: nn.Sequential(nn.Embedding(8, 4), nn.Flatten(), nn.Linear(48, 4))),
    }
    for network, (data, model) in cases.items():
        found = learned(measured((data(600, seed=1), data(300, seed=3)), model=model))
        assert found.network == network
        assert found.validation > 0.85, network


def test_a_text_whose_order_matters_is_learned_beyond_the_table_of_pairs() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Embedding(6, 8), nn.Linear(8, 6))

    data = (repeated(800, seed=1), repeated(200, seed=2))
    seen = measured(data, model=model, task=Task.LANGUAGE_MODEL, metric=Metric(name="loss", higher_is_better=False))
    bigram = next(score.validation for score in seen.scores if score.name == "bigram")
    found = learned(seen)
    assert found.network == "transformer"
    assert found.validation == pytest.approx(found.validation_loss, rel=1e-4)
    assert found.validation < bigram - 0.3


def test_labels_that_belong_to_other_rows_leave_it_at_chance() -> None:
    x, y = sign_product(800, seed=1)
    held = sign_product(1000, seed=2)
    order = torch.randperm(800, generator=torch.Generator().manual_seed(0))
    found = learned(measured(((x, y[order]), held)))
    assert found.validation == pytest.approx(0.5, abs=0.07)


def test_numbers_are_told_in_the_units_of_the_targets() -> None:
    def bowl(rows: int, seed: int) -> Pair:
        x = normal(rows, FEATURES, seed=seed)
        return x, 1000 + 50 * (x[:, :1] ** 2 + x[:, 1:2])

    def model() -> nn.Module:
        return nn.Linear(FEATURES, 1)

    data = (bowl(1000, 1), bowl(300, 2))
    common: dict[str, Any] = {"model": model, "loss": "mse_loss", "task": Task.REGRESSION}
    assert learned(measured(data, metric=Metric(name="r2"), **common)).validation > 0.8
    by_error = learned(measured(data, metric=Metric(name="mae", higher_is_better=False), **common))
    assert 0 < by_error.validation < 40


def test_the_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    measured((sign_product(200, seed=1), sign_product(100, seed=2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_quick_preset_and_a_time_that_is_up_leave_it_out() -> None:
    assert measured(protocol=Protocol(preset="quick")).reference is None
    x, y = torch.randn(200, 8), torch.randint(3, (200,))
    task = reference.Task(
        kind="perceptron", fit=(x, y), held=(x, y), validation=(x, y), outputs=3, vocabulary=0,
        loss=nn.functional.cross_entropy,
    )  # fmt: skip
    now = time.perf_counter()
    assert reference.measure(task, lambda *_: 0.0, seed=0, seconds=1e-6, deadline=now + 60) is None
    assert reference.measure(task, lambda *_: 0.0, seed=0, seconds=60.0, deadline=now - 1) is None


def test_its_length_follows_from_the_rows_and_not_from_a_clock() -> None:
    first, again = (learned(measured((sign_product(400, seed=1), sign_product(200, seed=2)))) for _ in range(2))
    assert first.model_dump(exclude={"seconds"}) == again.model_dump(exclude={"seconds"})
    assert first.stopped_by != "time"


def test_labels_that_training_never_shows_and_values_that_are_not_finite_do_not_stop_it() -> None:
    x, y = sign_product(600, seed=1)
    other_x, other_y = sign_product(200, seed=2)
    x[::7, 2], other_x[::5, 3] = float("inf"), float("-inf")
    other_y[:3] = 3
    found = learned(measured(((x, y), (other_x, other_y))))
    assert 0 <= found.validation <= 1


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((9, 5), "perceptron"),
        ((9, 3, 8, 8), "convolution"),
        ((9, 8, 8, 3), "convolution"),
        ((9, 30, 4), "recurrent"),
        ((9, 3000, 4), "perceptron"),
    ],
)
def test_the_shape_of_the_rows_decides_for_the_network(shape: tuple[int, ...], kind: str) -> None:
    rows = normal(*shape, seed=0).numpy()
    assert reference_networks.kind_of(rows, inputs=1, vocabulary=None) == kind
    assert reference_networks.kind_of(rows, inputs=2, vocabulary=None) == "perceptron"


def test_large_pictures_are_made_smaller_and_channels_put_first() -> None:
    assert reference_networks.pictures(normal(2, 64, 96, 3, seed=0).numpy()).shape == (2, 3, 21, 32)
    assert reference_networks.pictures(normal(2, 1, 28, 28, seed=0).numpy()).shape == (2, 1, 28, 28)
