"""How often does a loop read a tensor on the host? Loops whose number of reads is known."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.training.host_copies import HostCopies, reads_on_host, watch
from diagnoser.training.probes import loop as loop_probe
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import blobs, net, workload

CPU, GPU = torch.device("cpu"), torch.device("cuda")
ATEN = torch.ops.aten


def trained(after_each: Callable[[torch.Tensor], Any], *, optimizer: str = "Adam") -> HostCopies | None:
    """Train five batches, and do something with each loss."""
    model = net()
    chosen = getattr(torch.optim, optimizer)(model.parameters(), lr=0.01)
    x, y = blobs(80, seed=1)

    def run() -> None:
        for rows in torch.arange(80).split(16):
            chosen.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            chosen.step()
            after_each(loss)

    return watch(run, chosen, device=CPU)


@pytest.mark.parametrize(
    ("what", "reads"),
    [
        (lambda loss: None, 0),
        (lambda loss: loss.detach(), 0),
        (lambda loss: loss.item(), 1),
        (lambda loss: (float(loss.detach()), bool(loss > 1)), 2),
        (lambda loss: [loss.item() for _ in range(4)], 4),
    ],
)
def test_each_number_that_is_read_counts_once(what: Callable[[torch.Tensor], Any], reads: int) -> None:
    seen = trained(what)
    assert seen is not None
    assert seen.per_step == reads
    assert seen.waiting_share is None  # on a CPU nothing waits


@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop"])
def test_what_an_optimizer_reads_in_its_step_is_not_the_loops(optimizer: str) -> None:
    seen = trained(lambda loss: None, optimizer=optimizer)
    assert seen is not None
    assert seen.per_step == 0


def test_a_run_without_a_step_tells_nothing() -> None:
    optimizer = torch.optim.SGD(net().parameters(), lr=0.1)
    assert watch(lambda: None, optimizer, device=CPU) is None


def test_code_that_cannot_run_under_it_is_left_alone() -> None:
    def run() -> None:
        raise ValueError("no such mode")

    optimizer = torch.optim.SGD(net().parameters(), lr=0.1)
    assert watch(run, optimizer, device=CPU) is None
    assert torch.ones(2).sum().item() == 2  # and it is switched off again


class OnDevice(torch.Tensor):
    """Says that it lies on an accelerator, for machines that have none."""

    device = GPU  # type: ignore[assignment]  # read-only on a tensor


def far(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape).as_subclass(OnDevice)


@pytest.mark.parametrize(
    ("operation", "args", "options", "reads"),
    [
        (ATEN._local_scalar_dense.default, (far(1),), {}, True),
        (ATEN._local_scalar_dense.default, (torch.zeros(1),), {}, False),  # the step counter of Adam lies on the host
        (ATEN._to_copy.default, (far(3),), {"device": torch.device("cpu")}, True),
        (ATEN._to_copy.default, (far(3),), {"dtype": torch.float16}, False),
        (ATEN._to_copy.default, (torch.zeros(3),), {"device": GPU}, False),  # the other way
        (ATEN.copy_.default, (torch.zeros(3), far(3)), {}, True),
        (ATEN.copy_.default, (far(3), torch.zeros(3)), {}, False),
        (ATEN.nonzero.default, (far(3),), {}, True),
        (ATEN.add.Tensor, (far(3), far(3)), {}, False),
    ],
)
def test_on_an_accelerator_it_is_the_direction_that_counts(
    operation: Any, args: tuple[torch.Tensor, ...], options: dict[str, Any], reads: bool
) -> None:
    assert reads_on_host(operation, args, options, device=GPU) is reads


def audit(loop: Callable[..., None]) -> LoopAudit:
    return loop_probe.measure(workload(loop=loop), Probe(probe=ProbeKind.LOOP))


def test_the_audit_of_a_loop_tells_its_reads_a_step() -> None:
    def chatty(model: Any, optimizer: Any, batches: Any) -> None:
        model.train()
        for x, y in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            for weight in model.parameters():  # four of them
                weight.norm().item()

    seen = audit(chatty)
    assert (seen.host_copies_per_step, seen.host_wait_share) == (4.0, None)
    assert seen.error is None


def test_a_loop_that_only_trains_reads_nothing() -> None:
    def quiet(model: Any, optimizer: Any, batches: Any) -> None:
        model.train()
        for x, y in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

    assert audit(quiet).host_copies_per_step == 0.0
