"""Do worker processes draw different random numbers?"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from diagnoser.evidence.preflight import DataProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.training.probes import data as data_probe
from diagnoser.trials import Probe, ProbeKind
from rules.catalog.reproducibility.workers_share_random_seed import check
from tests.helpers import make
from tests.helpers.judge import fired, silent
from tests.helpers.small_workload import blobs, workload


class Shaken(Dataset[tuple[Tensor, Tensor]]):
    """Rows with noise from a generator that the data set holds."""

    def __init__(self) -> None:
        self.x, self.y = blobs(64, seed=1)
        self.rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index] + 0.1 * torch.tensor(self.rng.standard_normal(self.x.shape[1])).float(), self.y[index]


def own_generator(_: int) -> None:
    info = get_worker_info()
    assert info is not None
    assert isinstance(info.dataset, Shaken)
    info.dataset.rng = np.random.default_rng(info.seed)


def measured(start: Callable[[int], None] | None, *, number: int = 2) -> DataProfile:
    loader = DataLoader(Shaken(), batch_size=16, shuffle=True, num_workers=number, worker_init_fn=start)
    return data_probe.measure(workload(data=(loader, blobs(40, seed=2))), Probe(probe=ProbeKind.DATA))


def test_fires() -> None:
    finding = fired(check, measured(None))
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.HIGH)
    assert "the 2 workers share one seed" in finding.message
    assert finding.explains == ("overfitting",)


def test_is_silent() -> None:
    assert silent(check, measured(own_generator)) == "passed"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (make.data_profile(), "not_applicable"),
        (make.data_profile(workers=1), "not_applicable"),
        (make.data_profile(workers=4), "unjudged"),
    ],
    ids=["in memory", "one worker", "could not be told"],
)
def test_is_silent_on(data: DataProfile, answer: str) -> None:
    assert silent(check, data) == answer
