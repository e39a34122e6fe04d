"""Which layers make the maps smaller, whether they are modules or functions?"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.evidence.preflight import StridedLayer
from diagnoser.training.probes import model as probe_of_model
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import CLASSES, workload


def pictures(side: int = 32) -> Any:
    draw = torch.Generator().manual_seed(0)
    return tuple((torch.randn(n, 1, side, side, generator=draw), torch.arange(n) % CLASSES) for n in (64, 32))


def strided(model: Any, **settings: Any) -> tuple[StridedLayer, ...]:
    return probe_of_model.measure(workload(model=model, **settings), Probe(probe=ProbeKind.MODEL)).strided


def photographs() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 7, stride=4, padding=3), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, CLASSES),
    )  # fmt: skip


class Functions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4 * 64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        h = F.avg_pool2d(F.max_pool2d(self.conv(x), 2), kernel_size=2, stride=2)
        answer: Tensor = self.head(h.flatten(1))
        return answer


def told(layers: tuple[StridedLayer, ...]) -> list[tuple[str, int, int, int]]:
    return [(layer.operation, layer.stride, layer.side_before, layer.side_after) for layer in layers]


def test_modules_are_told_with_their_names() -> None:
    seen = strided(photographs, data=pictures())
    assert told(seen) == [("conv2d", 4, 32, 8), ("max_pool2d", 2, 8, 4)]
    assert [layer.path for layer in seen] == ["0", "2"]
    assert not seen[0].cuts_patches


def test_functions_are_told_too() -> None:
    assert told(strided(Functions, data=pictures())) == [("max_pool2d", 2, 32, 16), ("avg_pool2d", 2, 16, 8)]


def test_patches_are_recognised() -> None:
    def patches() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 8, 4, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, CLASSES))

    assert [layer.cuts_patches for layer in strided(patches, data=pictures())] == [True]


def test_tables_have_no_maps() -> None:
    assert strided(lambda: nn.Linear(8, CLASSES)) == ()
