"""Is augmentation what it says, drawn by the trial's seed alone, for training rows alone?"""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.spec.fields import Optimizer
from diagnoser.training import pictures, transforms
from diagnoser.training.pictures import Augmented
from diagnoser.training.preparation import prepare
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Outcome, Rows, Transform, Trial
from tests.helpers.training import loaded, net, ran, two

AUGMENTATIONS = (Transform.FLIP_PICTURES, Transform.SHIFT_PICTURES, Transform.ROTATE_PICTURES)
SIDE = 16


def bars(rows: int, seed: int, *, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """A bright bar on noise, upright or lying: the same whichever way it is flipped, shifted or turned a little."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (rows,), generator=draw)
    x = 0.3 * torch.randn(rows, 1, SIDE, SIDE, generator=draw)
    for row in range(rows):
        at = int(torch.randint(3, SIDE - 3, (1,), generator=draw))
        if y[row]:
            x[row, 0, :, at] += 1
        else:
            x[row, 0, at, :] += 1
    return x.to(dtype), y


def model() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 16), nn.ReLU(), nn.Linear(16, 2))


def program(**given: Any) -> Workload:
    return loaded(
        model, (bars(64, 0), bars(64, 1)), loss="cross_entropy", optimizer=Optimizer(name="adam", lr=0.003), **given
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


X = torch.rand(200, 3, 16, 24, generator=torch.Generator().manual_seed(0))


def test_about_half_of_the_rows_are_flipped_and_the_others_stay() -> None:
    seen = pictures.flipped(X, generator())
    turned = [torch.equal(a, b.flip(-1)) for a, b in zip(seen, X, strict=True)]
    stayed = [torch.equal(a, b) for a, b in zip(seen, X, strict=True)]
    assert all(a != b for a, b in zip(turned, stayed, strict=True))
    assert 70 < sum(turned) < 130


def test_pictures_are_shifted_by_up_to_an_eighth_of_their_sides() -> None:
    seen = pictures.shifted(X, generator())
    moves = {
        (down, right)
        for a, b in zip(seen, X, strict=True)
        for down in range(-3, 4)
        for right in range(-4, 5)
        if torch.equal(a[:, 4:-4, 4:-4], b[:, 4 + down : 12 + down, 4 + right : 20 + right])
    }
    assert {down for down, _ in moves} == {-2, -1, 0, 1, 2}  # 16 / 8
    assert {right for _, right in moves} == {-3, -2, -1, 0, 1, 2, 3}  # 24 / 8


def test_what_moves_in_from_outside_repeats_the_edge() -> None:
    ramp = torch.arange(16.0).expand(50, 1, 16, 16)  # brighter to the right
    seen = pictures.shifted(ramp, generator())
    assert float(seen.min()) == 0
    assert float(seen.max()) == 15
    assert bool((seen.diff(dim=3) >= 0).all())


@pytest.mark.parametrize(("height", "width"), [(33, 33), (33, 65)])
def test_pictures_turn_by_up_to_15_degrees_about_their_middle(height: int, width: int) -> None:
    x = torch.zeros(100, 1, height, width)
    middle, at = height // 2, width // 2
    x[:, :, middle, at - 12 : at + 13] = 1  # a lying line
    seen = pictures.rotated(x, generator())
    angles = []
    for row in seen[:, 0]:
        ys, xs = torch.meshgrid(torch.arange(height) - middle, torch.arange(width) - at, indexing="ij")
        angles.append(math.degrees(math.atan(float((row * xs * ys).sum() / (row * xs * xs).sum()))))
    assert -15.5 < min(angles) < -10
    assert 10 < max(angles) < 15.5
    assert bool((seen[:, 0, middle, at] > 0.9).all())


@pytest.mark.parametrize("change", pictures.CHANGES.values())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.uint8])
def test_shape_and_type_stay(change: pictures.Change, dtype: torch.dtype) -> None:
    x = (200 * X).to(dtype)
    seen = change(x, generator())
    assert (seen.shape, seen.dtype) == (x.shape, x.dtype)
    assert float(seen.float().max()) <= float(x.float().max())


@pytest.mark.parametrize("transform", AUGMENTATIONS)
def test_an_epoch_is_augmented_by_the_seed_and_rows_taken_by_index_are_not(transform: Transform) -> None:
    plain = program()
    seen = transforms.apply_to_workload(plain, (transform,))
    one, again, other, later, given = (
        torch.cat([x for x, _ in split.batches(seed=seed, epoch=epoch)])
        for split, seed, epoch in (
            (seen.train, 0, 0), (seen.train, 0, 0), (seen.train, 1, 0), (seen.train, 0, 1), (plain.train, 0, 0)
        )
    )  # fmt: skip
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert not torch.equal(one, later)
    assert one.shape == given.shape
    assert not torch.equal(one, given)
    assert torch.equal(seen.train.head(64)[0], plain.train.head(64)[0])
    labels = [torch.cat([y for _, y in split.batches(seed=0, epoch=0)]) for split in (seen.train, plain.train)]
    assert torch.equal(*labels)


@pytest.mark.parametrize("transform", AUGMENTATIONS)
def test_validation_is_never_augmented(transform: Transform) -> None:
    plain = program()
    seen = transforms.apply_to_workload(plain, (transform,))
    assert seen.validation is plain.validation
    assert not isinstance(seen.validation, Augmented)


@pytest.mark.parametrize("transform", AUGMENTATIONS)
def test_without_regularisation_nothing_is_augmented(transform: Transform) -> None:
    workload = program()
    small = Trial(seed=0, transforms=(transform,), regularised=False, rows=Rows(per_class=5))
    assert not isinstance(prepare(workload, small).train, Augmented)
    assert isinstance(prepare(workload, Trial(seed=0, transforms=(transform,))).train, Augmented)
    treated, untreated = (ran(workload, updates=20, regularised=False, transforms=t) for t in ((transform,), ()))
    assert treated.losses == untreated.losses


def test_subsets_and_other_batches_of_augmented_rows_are_augmented_too() -> None:
    train = transforms.apply_to_workload(program(), AUGMENTATIONS).train
    assert isinstance(train.subset([0, 1, 2]), Augmented)
    assert isinstance(train.with_settings(batch_size=4), Augmented)


def test_an_overfitted_model_gains_on_validation_and_knows_its_rows_less_well() -> None:
    workload = program()
    untreated = ran(workload, updates=400)
    treated = ran(workload, updates=400, transforms=(Transform.SHIFT_PICTURES,))
    assert treated.outcome is Outcome.COMPLETED
    assert (untreated.final_metric or 0) > 0.99
    assert (treated.evaluations[-1].validation_metric or 0) > (untreated.evaluations[-1].validation_metric or 0) + 0.05
    assert ran(workload, updates=50, transforms=AUGMENTATIONS).losses == (
        ran(workload, updates=50, transforms=AUGMENTATIONS).losses
    )


def test_what_is_no_picture_is_refused_with_a_reason() -> None:
    table = loaded(net, two(), loss="cross_entropy")
    with pytest.raises(Unsupported, match="no pictures"):
        transforms.apply_to_workload(table, (Transform.FLIP_PICTURES,))
    x = torch.rand(32, 1, 8, 8)
    maps = loaded(lambda: nn.Conv2d(1, 1, 3, padding=1), ((x, x.round()),) * 2, loss="mse_loss")
    with pytest.raises(Unsupported, match="targets are pictures"):
        transforms.apply_to_workload(maps, (Transform.ROTATE_PICTURES,))
