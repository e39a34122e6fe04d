"""Attention that cannot know the order of its tokens, and what positions do for it."""

import pytest
import torch
from torch import Tensor, nn

from diagnoser.spec.fields import Optimizer
from diagnoser.training import transforms
from diagnoser.training.layer_changes.positions import waves
from diagnoser.training.stacked import decisions, running, trying
from diagnoser.training.stacked.running import run_trials
from diagnoser.training.unsupported import Unsupported
from diagnoser.trials import Transform, Trial, TrialResult
from tests.helpers.training import loaded, net, ran, two

LETTERS, LENGTH = 8, 6
CURE = (Transform.INSERT_POSITIONS,)


class Reader(nn.Module):
    """One head of attention over letters; its answer is one of them."""

    def __init__(self, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.letters = nn.Embedding(LETTERS, 32, dtype=dtype)
        self.query, self.value = nn.Linear(32, 32, dtype=dtype), nn.Linear(32, 32, dtype=dtype)
        self.head = nn.Linear(32, LETTERS, dtype=dtype)

    def forward(self, text: Tensor) -> Tensor:
        h = self.letters(text)
        weights = torch.softmax(self.query(h) @ h.transpose(1, 2) / 6, dim=-1)
        out: Tensor = self.head((weights @ self.value(h)).mean(1))
        return out


def texts(rows: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Letters, and the second of them for a target: only their order tells which it is."""
    text = torch.randint(LETTERS, (rows, LENGTH), generator=torch.Generator().manual_seed(seed))
    return text, text[:, 1]


DATA = (texts(512, seed=0), texts(128, seed=1))


def test_waves_begin_at_no_angle_and_turn_more_slowly_along_a_row() -> None:
    found = waves(LENGTH, 5)
    assert found.shape == (LENGTH, 5)
    assert found[0].tolist() == [0, 1, 0, 1, 0]
    assert found[1, 0] == pytest.approx(0.841470985)  # sin 1
    assert found[1, 2] < found[1, 0]


def test_the_order_counts_only_with_positions() -> None:
    workload = loaded(Reader, DATA, loss="cross_entropy")
    plain = workload.build_model(seed=0)
    placed = transforms.apply(workload.build_model(seed=0), workload, CURE)
    text = DATA[1][0][:4]
    with torch.no_grad():
        assert torch.allclose(plain(text), plain(text.flip(1)), atol=1e-6)
        assert not torch.allclose(placed(text), placed(text.flip(1)), atol=1e-3)


def test_a_reader_that_must_know_the_second_letter_learns_it_with_positions() -> None:
    workload = loaded(Reader, DATA, loss="cross_entropy", optimizer=Optimizer(name="adam", lr=0.01))
    sick, cured = (ran(workload, updates=250, transforms=cure) for cure in ((), CURE))
    assert (sick.final_loss or 0) > 1.0
    assert (cured.final_loss or 9) < 0.5 * (sick.final_loss or 0)


def test_without_text_there_is_nothing_to_place() -> None:
    workload = loaded(net, two(), loss="cross_entropy")
    with pytest.raises(Unsupported, match="embeds no text"):
        transforms.apply(workload.build_model(seed=0), workload, CURE)


def test_stacked_trials_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LONGEST_STEP", {"cpu": 60.0})  # whatever it costs on a machine with other work
    monkeypatch.setattr(trying, "LEAST_GAIN", 0.0)
    monkeypatch.setattr(decisions, "LEAST_GAIN", 0.0)
    workload = loaded(lambda: Reader(dtype=torch.float64), DATA, loss="cross_entropy")
    given = [Trial(seed=seed, updates=12, transforms=CURE) for seed in range(4)]
    alone = [ran(workload, **trial.model_dump()) for trial in given]
    together: dict[int, TrialResult] = {}
    how = run_trials(workload, given, on_result=together.__setitem__)
    assert {one.at_once for one in how} == {4}, how
    for index, result in enumerate(alone):
        assert together[index].losses == pytest.approx(result.losses, rel=1e-6)
