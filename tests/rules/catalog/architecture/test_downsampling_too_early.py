"""Are small pictures made much smaller before the network has looked at them?"""

from typing import Any

import pytest
import torch
from torch import nn

from diagnoser.evidence.preflight import ModelProfile, StridedLayer
from diagnoser.findings import Confidence, Severity
from diagnoser.training.probes import model as probe_of_model
from diagnoser.trials import Probe, ProbeKind, Transform
from rules.catalog.architecture.downsampling_too_early import check
from tests.helpers import make
from tests.helpers.judge import fired, silent
from tests.helpers.small_workload import CLASSES, workload


def measured(*layers: nn.Module) -> ModelProfile:
    draw = torch.Generator().manual_seed(0)
    data: Any = tuple((torch.randn(n, 1, 32, 32, generator=draw), torch.arange(n) % CLASSES) for n in (48, 24))

    def model() -> nn.Module:
        return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(CLASSES))

    return probe_of_model.measure(workload(model=model, data=data), Probe(probe=ProbeKind.MODEL))


def shrinking(*strides: int, side: int = 32, patches: bool = False) -> ModelProfile:
    layers, before = [], side
    for number, stride in enumerate(strides):
        layers.append(
            StridedLayer(
                path=f"net.{number}", operation="conv2d", stride=stride, side_before=before,
                side_after=before // stride, cuts_patches=patches,
            )
        )  # fmt: skip
        before //= stride
    return make.model_profile(strided=tuple(layers))


def test_fires() -> None:
    finding = fired(check, measured(nn.Conv2d(1, 4, 7, stride=4, padding=3), nn.ReLU(), nn.MaxPool2d(2)))
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.LOW)
    assert finding.subject == "0"
    assert "32 pixels a side to 4" in finding.message


def test_is_silent() -> None:
    le_net = (nn.Conv2d(1, 4, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 5), nn.ReLU(), nn.MaxPool2d(2))
    assert silent(check, measured(*le_net)) == "passed"


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (shrinking(2, 2, 2), "passed"),
        (shrinking(4, 2, side=224), "not_applicable"),
        (shrinking(8, patches=True), "not_applicable"),
        (make.model_profile(), "not_applicable"),
    ],
    ids=["three halves", "a photograph", "patches", "no pictures"],
)
def test_is_silent_on(model: ModelProfile, answer: str) -> None:
    assert silent(check, model) == answer


def test_a_first_stride_of_one_decides() -> None:
    early = shrinking(4, 2)
    tried = make.treatment(
        rule="downsampling-too-early", transforms=(Transform.FULL_RESOLUTION,), before=(0.6, 0.62, 0.61)
    )
    assert fired(check, early).fixes[0].transforms == tried.transforms
    better = fired(check, early, make.treatments(tried))
    assert (better.severity, better.confidence) == (Severity.WARNING, Confidence.HIGH)
    assert "underfitting" in better.explains
    in_vain = make.altered(tried, {"after": (0.6, 0.61, 0.6)})
    assert silent(check, early, make.treatments(in_vain)) == "passed"
