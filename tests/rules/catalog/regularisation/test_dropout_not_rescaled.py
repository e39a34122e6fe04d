"""Does a dropout written by hand keep the mean of what it thins out?"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import HandMask, ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.training.probes import model as probe_of_model
from diagnoser.trials import Probe, ProbeKind
from rules.catalog.regularisation.dropout_not_rescaled import check
from tests.helpers import make
from tests.helpers.judge import fired, silent
from tests.helpers.small_workload import CLASSES, FEATURES, workload


class OwnDropout(nn.Module):
    """Keeps seven units of ten, and multiplies them by a number."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, h: Tensor) -> Tensor:
        return h * (torch.rand_like(h) < 0.7) * self.scale if self.training else h


def measured(between: Callable[[], nn.Module]) -> ModelProfile:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(FEATURES, 64), nn.ReLU(), between(), nn.Linear(64, CLASSES))

    return probe_of_model.measure(workload(model=model), Probe(probe=ProbeKind.MODEL))


def mask(mean: float, *, error: float = 0.005) -> ModelProfile:
    return make.model_profile(
        hand_mask=HandMask(
            where="the output of drop", kept_share=0.5, scale=2 * mean, mean_ratio=mean, standard_error=error, masks=64
        )
    )


@pytest.mark.parametrize("scale", [1.0, 0.7, 1 / 0.3], ids=["not rescaled", "multiplied", "divided by the other share"])
def test_fires(scale: float) -> None:
    finding = fired(check, measured(lambda: OwnDropout(scale)))
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.HIGH)
    assert finding.subject == "the output of 2"
    assert f"{scale:.2f}" in finding.message
    assert finding.explains == ("overfitting", "underfitting")


@pytest.mark.parametrize(
    ("between", "answer"),
    [(lambda: OwnDropout(1 / 0.7), "passed"), (lambda: nn.Dropout(0.3), "not_applicable"), (nn.Tanh, "not_applicable")],
    ids=["rescaled", "torch's own", "nothing random"],
)
def test_is_silent(between: Callable[[], nn.Module], answer: str) -> None:
    assert silent(check, measured(between)) == answer


def test_a_small_shift_of_the_mean_is_a_remark_and_noise_is_none() -> None:
    assert fired(check, mask(0.93)).severity is Severity.INFO
    assert silent(check, mask(0.97)) == "passed"
    assert silent(check, mask(0.85, error=0.05)) == "passed"


def test_a_model_that_could_not_be_asked_is_unjudged() -> None:
    model = make.model_profile(unanswered=("a mask of one's own: no time was left",))
    assert silent(check, model) == "unjudged"
