"""Do targets and validation become what each transform says, and does a patient with that fault recover by it?"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.spec.fields import Optimizer, Task
from diagnoser.training import transforms
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Outcome, Transform
from tests.helpers.training import classes, loaded, net, numbers, ran, two

VOCABULARY, LENGTH = 6, 12
ADAM = Optimizer(name="adam", lr=0.02)


def changed(workload: Workload, *wanted: Transform) -> Workload:
    return transforms.apply_to_workload(workload, wanted)


def refusal(workload: Workload, transform: Transform) -> str:
    with pytest.raises(Unsupported) as refused:
        changed(workload, transform)
    return refused.value.reason


# ---- RELABEL


def odd_labels(names: tuple[int, ...] = (3, 7, 9), **given: Any) -> Workload:
    (x, y), (vx, vy) = two()
    of = torch.tensor(names)
    return loaded(net, ((x, of[y]), (vx, of[vy])), loss="cross_entropy", optimizer=ADAM, **given)


def test_labels_3_7_9_become_0_1_2_in_every_split() -> None:
    workload = odd_labels()
    seen = changed(workload, Transform.RELABEL)
    (_, y), (_, vy) = two()
    assert torch.equal(seen.train.head(64)[1], y)
    assert torch.equal(seen.validation.head(32)[1], vy)
    assert set(workload.train.head(64)[1].tolist()) == {3, 7, 9}  # the given rows stay


def test_a_model_whose_labels_have_no_output_trains_once_they_are_renumbered() -> None:
    workload = odd_labels()
    assert ran(workload, updates=100).outcome is Outcome.USER_ERROR
    treated = ran(workload, updates=150, transforms=(Transform.RELABEL,))
    assert treated.error is None
    assert (treated.evaluations[-1].validation_metric or 0) > 0.8


def test_the_label_that_the_loss_ignores_keeps_its_number() -> None:
    x, y = classes(64)
    named = torch.tensor([1, 2, 3])[y]
    named[:5] = -100
    seen = changed(loaded(net, ((x, named),) * 2, loss="cross_entropy"), Transform.RELABEL)
    labels = seen.train.head(64)[1]
    assert labels[:5].tolist() == [-100] * 5
    assert torch.equal(labels[5:], y[5:])


def test_two_labels_of_one_output_become_0_and_1() -> None:
    x, y = classes(64, count=2)
    given = (x, 2.0 * y[:, None] - 1)
    workload = loaded(lambda: net(outputs=1), (given, given), loss="binary_cross_entropy_with_logits", task=Task.BINARY)
    assert torch.equal(changed(workload, Transform.RELABEL).train.head(64)[1], y[:, None].float())


def test_labels_that_cannot_be_renumbered_are_refused() -> None:
    assert "already" in refusal(loaded(net, two(), loss="cross_entropy"), Transform.RELABEL)
    x, y = classes(64)
    four = torch.cat([y[:-1], torch.tensor([9])])
    assert "3 outputs" in refusal(loaded(net, ((x, four),) * 2, loss="cross_entropy"), Transform.RELABEL)
    real = loaded(lambda: net(outputs=1), two(numbers), loss="mse_loss")
    assert refusal(real, Transform.RELABEL)


# ---- SHIFT_TARGETS


class Next(nn.Module):
    """Says from each token the next one: a table of pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(VOCABULARY, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, T, V)
        scores: Tensor = self.table(tokens)
        return scores


def counting(rows: int, *, ahead: int, seed: int) -> tuple[Tensor, Tensor]:
    """A text that counts 0, 1, ..., 5, 0, 1, ...: each token says the next."""
    start = torch.randint(VOCABULARY, (rows, 1), generator=torch.Generator().manual_seed(seed))
    text = (start + torch.arange(LENGTH + 2)) % VOCABULARY
    return text[:, :LENGTH], text[:, ahead : ahead + LENGTH]


def texts(ahead: int) -> Workload:
    return loaded(
        Next,
        (counting(64, ahead=ahead, seed=0), counting(32, ahead=ahead, seed=1)),
        loss="cross_entropy",
        optimizer=Optimizer(name="adam", lr=0.1),
    )


@pytest.mark.parametrize("ahead", [0, 2])
def test_targets_become_the_next_tokens(ahead: int) -> None:
    seen = changed(texts(ahead), Transform.SHIFT_TARGETS)
    for split, (_, right) in zip(
        (seen.train, seen.validation), (counting(64, ahead=1, seed=0), counting(32, ahead=1, seed=1)), strict=True
    ):
        _, target = split.head(split.rows)
        assert torch.equal(target[:, :-1], right[:, :-1])
        expected = right[:, -1] if ahead == 2 else torch.full((split.rows,), -100)  # not in the batch: ignored
        assert torch.equal(target[:, -1], expected)


def test_a_model_that_only_had_to_copy_learns_the_next_token() -> None:
    workload = texts(0)
    model = workload.build_model(seed=0)
    with torch.no_grad():
        model.table.weight.copy_(torch.eye(VOCABULARY).roll(1, 1) * 20)  # type: ignore[union-attr, operator]
    seen = changed(workload, Transform.SHIFT_TARGETS)
    assert float(seen.loss(model, seen.validation.head(32)).detach()) < 1e-3
    assert float(workload.loss(model, workload.validation.head(32)).detach()) > 10
    treated = ran(workload, updates=80, transforms=(Transform.SHIFT_TARGETS,))
    assert (treated.evaluations[-1].validation_metric or 0) > 0.99


def test_targets_that_are_shifted_already_are_refused() -> None:
    assert "neither" in refusal(texts(1), Transform.SHIFT_TARGETS)
    assert "one text" in refusal(loaded(net, two(), loss="cross_entropy"), Transform.SHIFT_TARGETS)


# ---- VALIDATION_LABELS_AS_TRAINING


def permuted(order: tuple[int, ...], **given: Any) -> Workload:
    """Validation's label c is called order[c]."""
    train, (x, y) = classes(300), classes(200, seed=1)
    return loaded(net, (train, (x, torch.tensor(order)[y])), loss="cross_entropy", optimizer=ADAM, **given)


def test_the_numbering_of_validation_is_undone_and_training_stays() -> None:
    workload = permuted((1, 2, 0))
    seen = changed(workload, Transform.VALIDATION_LABELS_AS_TRAINING)
    assert torch.equal(seen.validation.head(200)[1], classes(200, seed=1)[1])
    assert seen.train is workload.train


def test_a_good_model_with_permuted_validation_labels_is_seen_to_be_good() -> None:
    workload = permuted((1, 2, 0))
    untreated = ran(workload, updates=200)
    treated = ran(workload, updates=200, transforms=(Transform.VALIDATION_LABELS_AS_TRAINING,))
    assert (untreated.evaluations[-1].validation_metric or 0) < 0.2
    assert (treated.evaluations[-1].validation_metric or 0) > 0.9
    assert treated.losses == untreated.losses  # the same run, judged by the same numbering


def test_columns_of_classes_are_renumbered_too() -> None:
    (x, y), (vx, vy) = classes(300), classes(200, seed=1)
    soft = (x, torch.eye(3)[y]), (vx, torch.eye(3)[torch.tensor([1, 2, 0])[vy]])
    seen = changed(loaded(net, soft, loss="cross_entropy"), Transform.VALIDATION_LABELS_AS_TRAINING)
    assert torch.equal(seen.validation.head(200)[1], torch.eye(3)[vy])


def test_one_numbering_for_both_splits_is_left_alone() -> None:
    assert "no other numbering" in refusal(permuted((0, 1, 2)), Transform.VALIDATION_LABELS_AS_TRAINING)


# ---- VALIDATION_AS_TRAINING


def far_off(factor: float = 255.0, shift: float = 3.0) -> Workload:
    train, (x, y) = classes(300), classes(200, seed=1)
    return loaded(net, (train, (factor * x + shift, y)), loss="cross_entropy", optimizer=ADAM)


def test_validation_inputs_get_the_moments_of_training() -> None:
    workload = far_off()
    seen = changed(workload, Transform.VALIDATION_AS_TRAINING)
    inputs, given = seen.validation.head(200)[0], workload.train.head(300)[0]
    assert torch.allclose(inputs.mean(0), given.mean(0), atol=1e-4)
    assert torch.allclose(inputs.std(0, correction=0), given.std(0, correction=0), atol=1e-4)
    assert seen.train is workload.train


def test_a_picture_is_mapped_channel_by_channel() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(60, 3, 8, 8, generator=draw) * torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
    y = torch.arange(60) % 3

    def model() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))

    far = x * torch.tensor([10.0, 1.0, 0.1]).reshape(1, 3, 1, 1) - 2
    seen = changed(loaded(model, ((x, y), (far, y)), loss="cross_entropy"), Transform.VALIDATION_AS_TRAINING)
    assert torch.allclose(seen.validation.head(60)[0], x, atol=1e-4)


def test_a_good_model_on_validation_in_another_scale_is_seen_to_be_good() -> None:
    workload = far_off(factor=0.01, shift=5.0)
    untreated = ran(workload, updates=200)
    treated = ran(workload, updates=200, transforms=(Transform.VALIDATION_AS_TRAINING,))
    assert (untreated.evaluations[-1].validation_metric or 0) < 0.6
    assert (treated.evaluations[-1].validation_metric or 0) > 0.9
    assert treated.losses == untreated.losses


def test_tokens_have_no_moments() -> None:
    assert "whole numbers" in refusal(texts(1), Transform.VALIDATION_AS_TRAINING)
