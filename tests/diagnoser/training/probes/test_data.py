"""The data profile on data whose faults were planted."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler

from diagnoser.evidence.preflight import DataProfile
from diagnoser.spec.fields import Task
from diagnoser.training.probes import data as data_probe
from diagnoser.training.probes import rows as rows_probe
from diagnoser.training.probes.rows import hashes
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import CLASSES, FEATURES, Pair, blobs, workload

PROBE = Probe(probe=ProbeKind.DATA)


def profile(data: Any = None, **settings: Any) -> DataProfile:
    return data_probe.measure(workload(data=data, **settings), PROBE)


def linear() -> nn.Module:
    return nn.Linear(FEATURES, 1)


def regression(rows: int, *, seed: int) -> Pair:
    x, _ = blobs(rows, seed=seed)
    return x, x[:, :3].sum(1, keepdim=True)


def flat(shape: tuple[int, ...]) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), CLASSES))


class Rows(Dataset[tuple[Tensor, Tensor]]):
    """A map-style data set, to be spoiled by what inherits from it."""

    def __init__(self, rows: int = 200, seed: int = 1) -> None:
        self.x, self.y = blobs(rows, seed=seed)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]


def test_ordinary_rows_show_nothing() -> None:
    seen = profile()
    assert (seen.input_kind, seen.targets.kind) == ("table", "class")
    assert (seen.train.rows, seen.train.rows_read, seen.validation.rows) == (320, 320, 100)
    assert sum(seen.targets.counts) == 320
    assert sum(seen.targets.validation_counts) == 100
    assert seen.targets.prior_entropy == pytest.approx(np.log(CLASSES), abs=0.02)
    assert seen.batch_label_spread == pytest.approx(1.0, abs=0.05)
    assert (seen.overlap_share, seen.duplicate_share, seen.contradiction_share) == (0, 0, 0)
    assert not any((seen.reads_differ, seen.training_changes, seen.same_order_every_epoch))
    assert seen.distinct_of_512 == 1
    assert seen.validation_shift < 0.3
    assert seen.validation_std_ratio == pytest.approx(1.0, abs=0.1)


def test_scale_and_non_finite_values_are_told_with_their_place() -> None:
    x, y = blobs(100, seed=1)
    x[7, 3], x[9, 3], x[9, 5] = float("nan"), float("inf"), float("nan")
    x[:, 1] = 5.0
    seen = profile(((x, y), blobs(50, seed=2)))
    assert seen.train.non_finite_values == 3
    assert seen.train.non_finite_rows == (7, 9)
    assert seen.train.non_finite_columns == (3, 5)
    assert seen.constant_features == 1
    assert np.isfinite([seen.train.mean, seen.train.std, seen.validation_shift, seen.validation_std_ratio]).all()


def test_a_planted_overlap_of_a_quarter_is_measured() -> None:
    train, (x, y) = blobs(320, seed=1), blobs(100, seed=2)
    x[:25], y[:25] = train[0][:25], train[1][:25]
    y[25:50] = (y[25:50] + 1) % CLASSES
    x[25:50] = train[0][25:50]  # an equal input with another target is no copy
    y[25:50] = (train[1][25:50] + 1) % CLASSES
    seen = profile((train, (x, y)))
    assert seen.overlap_share == pytest.approx(0.25)
    assert seen.overlap_control == 0
    assert seen.distinct_in_a_column == 1


def test_rows_that_repeat_by_nature_repeat_in_the_control_too() -> None:
    def coins(rows: int, seed: int) -> Pair:
        x = torch.randint(2, (rows, FEATURES), generator=torch.Generator().manual_seed(seed)).float()
        return x, x[:, 0].long()

    seen = profile((coins(2000, 1), coins(300, 2)))
    assert seen.overlap_share > 0.95
    assert seen.overlap_control > 0.95
    assert seen.duplicate_share == pytest.approx(seen.duplicate_share_by_chance, abs=0.05)
    assert seen.fraction_one_hot == 1.0
    assert (seen.distinct_in_a_column or 1.0) < 0.1


def test_equal_inputs_with_other_labels_contradict() -> None:
    x, y = blobs(200, seed=1)
    x[:20] = x[20:40]
    y[:20] = (y[20:40] + 1) % CLASSES
    assert profile(((x, y), blobs(50, seed=2))).contradiction_share == pytest.approx(0.2)


def test_duplicates_and_an_ignored_index_are_measured() -> None:
    x, y = blobs(200, seed=1)
    x[:50], y[:50] = x[50:100], y[50:100]
    seen = profile(((x, y), blobs(50, seed=2)))
    assert seen.duplicate_share == pytest.approx(0.5)
    assert seen.duplicate_share_by_chance == 0

    class Same(Rows):
        def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
            return self.x[0], self.y[0]

    assert profile((Same(), Rows(50, 2))).distinct_of_512 == pytest.approx(1 / 200)


@pytest.mark.parametrize(("columns", "ones"), [(3, 0.5), (100, 0.01), (100, 0.002), (600, 0.0005), (600, 0.5)])
def test_repeats_by_chance_are_those_of_all_columns_permuted_at_once(columns: int, ones: float) -> None:
    rng = np.random.default_rng(3)
    x, y = (rng.random((400, columns)) < ones).astype(np.float32), rng.integers(3, size=400)
    rows = rows_probe.Rows(total=400, indices=np.arange(400), inputs=(x, x[:, :2] * 2), target=y)
    rng = np.random.default_rng(7)
    slow = [rng.permuted(array.reshape(400, -1), axis=0) for array in (*rows.inputs, y)]
    assert data_probe._repeats_by_chance(rows, seed=7) == rows_probe.repeated_share(hashes(slow))


def test_the_shift_of_validation_is_numpys_own_to_the_last_bit_with_nan_and_without() -> None:
    rng = np.random.default_rng(5)
    x, validation = rng.normal(size=(501, 33)), 2 * rng.normal(size=(203, 33)) + 1
    x[:, 4] = 3.0
    for planted in (None, float("nan"), float("inf")):
        if planted is not None:
            x[3, 3], validation[5, 5] = planted, planted
        a, b = (np.where(np.isfinite(values), values, np.nan) for values in (x, validation))
        varying = np.nanstd(a, axis=0) > 0
        mean, std = np.nanmean(a[:, varying], axis=0), np.nanstd(a[:, varying], axis=0)
        shift = np.nanmedian(np.abs(np.nanmean(b[:, varying], axis=0) - mean) / std)
        assert data_probe._shift(x, validation) == (float(shift), float(np.nanstd(b) / np.nanstd(a)))


def test_sorted_labels_without_shuffling_spread_less() -> None:
    x, y = blobs(320, seed=1)
    order = y.argsort()
    given = ((x[order], y[order]), blobs(50, seed=2))
    assert (profile(given, shuffle=False).batch_label_spread or 0) < 0.3
    assert profile(given, shuffle=True).batch_label_spread == pytest.approx(1.0, abs=0.05)
    unshuffled = profile(shuffle=False)
    assert unshuffled.batch_label_spread == pytest.approx(1.0, abs=0.05)
    assert unshuffled.same_order_every_epoch


def test_sorted_real_targets_spread_less() -> None:
    x, y = regression(320, seed=1)
    order = y[:, 0].argsort()
    given = ((x[order], y[order]), regression(50, seed=2))
    settings: dict[str, Any] = {"model": linear, "loss": "mse_loss", "task": Task.REGRESSION}
    assert (profile(given, shuffle=False, **settings).batch_label_spread or 0) < 0.2
    assert profile(given, **settings).batch_label_spread == pytest.approx(1.0, abs=0.1)


def test_the_users_sampler_decides_what_a_batch_holds() -> None:
    x, y = blobs(400, seed=1)
    rare = torch.cat([torch.nonzero(y == 0)[:10, 0], torch.nonzero(y == 1)[:, 0]])
    weights = torch.where(y[rare] == 0, 10.0, 1.0)
    loader = DataLoader(
        TensorDataset(x[rare], y[rare]), batch_size=16, sampler=WeightedRandomSampler(weights.tolist(), len(rare))
    )
    spread = profile((loader, blobs(50, seed=2))).batch_label_spread
    assert spread is not None
    assert spread > 1.2


def test_validation_on_another_scale_is_measured() -> None:
    x, y = blobs(100, seed=2)
    seen = profile((blobs(320, seed=1), (x * 255, y)))
    assert seen.validation_std_ratio == pytest.approx(255, rel=0.1)
    x, y = blobs(100, seed=2)
    assert profile((blobs(320, seed=1), (x + 30, y))).validation_shift > 3


def tokens(rows: int, *, seed: int, shift: int) -> Pair:
    ids = torch.randint(11, (rows, 14), generator=torch.Generator().manual_seed(seed))
    return ids[:, :12], ids[:, shift : shift + 12]


@pytest.mark.parametrize("shown", [0, 1])
def test_of_two_texts_the_one_that_the_targets_continue_is_compared(shown: int) -> None:
    """A translation: the model is given the source, and the target so far, shifted (1) or by mistake not (0)."""

    class Translator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.letters, self.head = nn.Embedding(9, 4), nn.Linear(4, 9)

        def forward(self, source: Tensor, so_far: Tensor) -> Tensor:
            out: Tensor = self.head(self.letters(source) + self.letters(so_far))
            return out

    class Pairs(Dataset[Any]):
        source = torch.randint(9, (40, 6), generator=torch.Generator().manual_seed(1))
        target = torch.randint(9, (40, 6), generator=torch.Generator().manual_seed(2))

        def __len__(self) -> int:
            return len(self.source)

        def __getitem__(self, index: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
            return (self.source[index], self.target[index].roll(shown)), self.target[index]

    seen = profile((Pairs(), Pairs()), model=Translator, task=Task.LANGUAGE_MODEL)
    same, right = seen.unshifted_targets_share or 0.0, seen.shifted_targets_share or 0.0
    assert (same > 0.99, right > 0.9) == ((False, True) if shown else (True, False))


@pytest.mark.parametrize(("shift", "field"), [(1, "shifted"), (0, "unshifted"), (2, "twice_shifted")])
def test_targets_of_a_language_model_are_found_where_they_came_from(shift: int, field: str) -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Embedding(11, 4), nn.Linear(4, 11))

    given = (tokens(60, seed=1, shift=shift), tokens(20, seed=2, shift=shift))
    seen = profile(given, model=model, task=Task.LANGUAGE_MODEL)
    assert (seen.input_kind, seen.targets.kind) == ("tokens", "tokens")
    assert seen.batch_label_spread is None
    for name in ("shifted", "unshifted", "twice_shifted"):
        share = getattr(seen, f"{name}_targets_share")
        assert share == 1.0 if name == field else share < 0.2


def test_pictures_with_the_channels_last_correlate_along_both_first_axes() -> None:
    grid = torch.linspace(0, 3, 12)
    picture = (grid[:, None] + grid[None, :]).sin()[None, :, :, None]  # (1, H, W, 1)
    x = picture + 0.1 * torch.randn(120, 12, 12, 3, generator=torch.Generator().manual_seed(0))
    y = torch.randint(CLASSES, (120,))
    seen = profile(((x[:80], y[:80]), (x[80:], y[80:])), model=lambda: flat((12, 12, 3)))
    assert seen.input_kind == "image"
    assert seen.channel_axis_last
    assert seen.channel_correlation_ratio == pytest.approx(1.0, abs=0.1)
    first = x.permute(0, 3, 1, 2)
    assert not profile(((first[:80], y[:80]), (first[80:], y[80:])), model=lambda: flat((3, 12, 12))).channel_axis_last


def test_a_second_division_by_255_is_recognised() -> None:
    levels = torch.randint(256, (90, FEATURES), generator=torch.Generator().manual_seed(0)).float()
    y = torch.randint(CLASSES, (90,))
    for divisor, twice in ((255.0**2, True), (255.0, False), (1.0, False)):
        x = levels / divisor
        assert profile(((x[:60], y[:60]), (x[60:], y[60:]))).on_grid_255_squared is twice


def test_a_column_that_is_the_target_is_named() -> None:
    def leaking(rows: int, seed: int) -> Pair:
        x, y = regression(rows, seed=seed)
        x[:, 5] = y[:, 0].exp()
        return x, y

    settings: dict[str, Any] = {"model": linear, "loss": "mse_loss", "task": Task.REGRESSION}
    seen = profile((leaking(300, 1), leaking(50, 2)), **settings)
    assert seen.leaking_column == 5
    assert seen.leaking_correlation == pytest.approx(1.0)
    plain = profile((regression(300, seed=1), regression(50, seed=2)), **settings)
    assert abs(plain.leaking_correlation or 1) < 0.99


class Augmented(Rows):
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index] + 0.1 * torch.randn(FEATURES), self.y[index]


class WithItsOwnGenerator(Rows):
    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(0)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index] + float(self.rng.normal()), self.y[index]


class ChangedInPlace(Rows):
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        row = self.x[index]
        row *= 0.9
        return row, self.y[index]


@pytest.mark.parametrize(
    ("train", "validation", "changes", "differ"),
    [
        (Rows, Rows, False, False),
        (Augmented, Rows, False, False),
        (Augmented, Augmented, False, True),
        (WithItsOwnGenerator, Rows, False, False),
        (ChangedInPlace, Rows, True, False),
    ],
)
def test_augmentation_is_told_from_rows_changed_in_place(
    train: type[Rows], validation: type[Rows], *, changes: bool, differ: bool
) -> None:
    seen = profile((train(), validation()))
    assert (seen.training_changes, seen.reads_differ) == (changes, differ)


def test_looking_at_rows_that_change_in_place_changes_none() -> None:
    rows = ChangedInPlace()
    given = workload(data=(rows, Rows()))
    before = rows.x.clone()
    from diagnoser.training.probes import reads

    assert reads.rows_change(given.train)
    assert torch.equal(before, rows.x)


def test_a_large_split_is_sampled_and_says_so() -> None:
    x, y = blobs(30_000, seed=1)
    seen = profile(((x, y), (x[:3000], y[:3000])))
    assert (seen.train.rows, seen.train.rows_read) == (30_000, 20_000)
    assert seen.overlap_share == pytest.approx(1.0, abs=0.05)


def test_targets_of_other_kinds_are_described() -> None:
    x, y = blobs(100, seed=1)
    several = nn.functional.one_hot(y, CLASSES).float()
    pair = ((x[:70], several[:70]), (x[70:], several[70:]))
    multilabel = profile(pair, loss="binary_cross_entropy_with_logits", task=Task.MULTILABEL).targets
    assert (multilabel.kind, multilabel.distinct, multilabel.row_sum_is_one_share) == ("multilabel", CLASSES, 1.0)
    none = profile(
        (TensorDataset(x[:70]), TensorDataset(x[70:])),
        loss=None,
        task=Task.CUSTOM,
        step=lambda model, batch: model(batch[0]).square().mean(),
    )
    assert none.targets.kind == "none"


def test_hashes_agree_with_comparing_rows_one_by_one() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(3, size=(300, 3)).astype(np.float64)
    slow = {tuple(row) for row in rows}
    assert len(np.unique(hashes((rows,)))) == len(slow)
