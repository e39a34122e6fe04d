"""A mask written by hand, told from everything else that is random in train mode."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.evidence.preflight import HandMask, ModelProfile
from diagnoser.training.probes import masks
from diagnoser.training.probes import model as probe_of_model
from diagnoser.training.probes.bench import spread_rows
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import CLASSES, FEATURES, workload

KEPT = 0.7


class Masked(nn.Module):
    """Two layers, with a function of the hidden units that is used in train mode, and one for eval mode."""

    def __init__(
        self,
        training: Callable[[Tensor], Tensor],
        evaluating: Callable[[Tensor], Tensor] = lambda h: h,
        *,
        at: str = "h",
    ) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(FEATURES, 64), nn.Linear(64, CLASSES)
        self.drop = nn.Dropout(0.5)
        self.while_training, self.while_evaluating, self.at = training, evaluating, at

    def forward(self, x: Tensor) -> Tensor:
        change = self.while_training if self.training else self.while_evaluating
        x = change(x) if self.at == "x" else x
        h = torch.relu(self.first(x))
        h = change(h) if self.at == "h" else h
        answer: Tensor = self.last(self.drop(h))
        return answer


def keep(h: Tensor) -> Tensor:
    return h * (torch.rand_like(h) < KEPT)


def profile(make: Callable[[], nn.Module], **settings: Any) -> ModelProfile:
    return probe_of_model.measure(workload(model=make, **settings), Probe(probe=ProbeKind.MODEL))


def mask(training: Callable[[Tensor], Tensor], *others: Any, **settings: Any) -> HandMask | None:
    return profile(lambda: Masked(training, *others, **settings)).hand_mask


def test_a_mask_without_rescaling_is_measured() -> None:
    seen = mask(keep)
    assert seen is not None
    assert seen.where == "the input of drop"
    assert seen.kept_share == pytest.approx(KEPT, abs=0.02)
    assert seen.scale == pytest.approx(1)
    assert seen.mean_ratio == pytest.approx(KEPT, abs=0.02)
    assert 0 < seen.standard_error < 0.02
    assert seen.masks >= 8


def test_the_mean_is_kept_by_either_way_of_rescaling() -> None:
    inverted = mask(lambda h: keep(h) / KEPT)
    original = mask(keep, lambda h: h * KEPT)
    assert inverted is not None
    assert original is not None
    assert inverted.mean_ratio == pytest.approx(1, abs=0.03)
    assert original.mean_ratio == pytest.approx(1, abs=0.03)


def test_dividing_by_the_wrong_share_is_measured() -> None:
    seen = mask(lambda h: keep(h) / (1 - KEPT))
    assert seen is not None
    assert seen.mean_ratio == pytest.approx(KEPT / (1 - KEPT), rel=0.05)


def test_whole_channels_are_a_mask_too() -> None:
    class Pictures(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 32, 3, padding=1), nn.Linear(32 * 16, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            h = F.relu(self.conv(x))
            if self.training:
                h = h * (torch.rand(len(h), 32, 1, 1) < KEPT)
            answer: Tensor = self.head(F.max_pool2d(h, 2).flatten(1))
            return answer

    draw = torch.Generator().manual_seed(0)
    rows = tuple((torch.randn(n, 1, 8, 8, generator=draw), torch.arange(n) % CLASSES) for n in (96, 32))
    seen = profile(Pictures, data=rows).hand_mask
    assert seen is not None
    assert seen.mean_ratio == pytest.approx(KEPT, abs=0.05)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h,  # torch's own dropout alone
        lambda h: F.dropout(h, 0.5),
        lambda h: h + 0.1 * torch.randn_like(h),
        lambda h: h * (1 + 0.1 * torch.randn_like(h)),
        lambda h: h * (torch.rand(len(h), 1) < KEPT),  # whole rows: the model is to do without them
    ],
)
def test_what_is_no_mask_of_units_is_none(change: Callable[[Tensor], Tensor]) -> None:
    assert mask(change) is None


def test_a_mask_on_the_inputs_is_augmentation() -> None:
    assert mask(keep, at="x") is None


def test_what_is_random_in_eval_mode_too_is_left_open() -> None:
    seen = profile(lambda: Masked(keep, keep))
    assert seen.hand_mask is None
    assert any("random in eval mode too" in line for line in seen.unanswered)


def test_looking_for_a_mask_changes_no_parameter_and_no_buffer() -> None:
    model = nn.Sequential(Masked(keep), nn.BatchNorm1d(CLASSES))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made = workload(model=lambda: model)
    assert masks.find(made, model, spread_rows(made, 4)) is not None
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
