"""Does what goes wrong in a probe become an outcome of that probe alone?"""

import sys
import types
from typing import Any

import pytest

from diagnoser.training import loop
from diagnoser.training.probing import run_probe
from diagnoser.training.unsupported import Unsupported
from diagnoser.trials import Outcome, Probe, ProbeKind, Trial
from tests.helpers.training import loaded, net, two


def probed(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Any:
    module = types.ModuleType("diagnoser.training.probes.model")

    def measure(workload: Any, probe: Any) -> Any:
        raise error

    module.measure = measure  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return run_probe(loaded(net, two(), loss="cross_entropy"), Probe(probe=ProbeKind.MODEL))


def test_assumptions_are_a_probe() -> None:
    result = run_probe(loaded(net, two(), loss="cross_entropy"), Probe(probe=ProbeKind.ASSUMPTIONS))
    assert result.outcome is Outcome.COMPLETED
    assert result.value is not None
    assert result.value.kind == "assumptions"


def test_each_failure_has_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probed(monkeypatch, Unsupported("no layers")).unsupported == "no layers"
    assert probed(monkeypatch, MemoryError()).outcome is Outcome.OUT_OF_MEMORY
    told = probed(monkeypatch, ValueError("mine"))
    assert told.outcome is Outcome.USER_ERROR
    assert told.error.message == "mine"


def test_a_fault_of_ours_is_not_blamed_on_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = loaded(net, two(), loss="cross_entropy")
    workload.layout = None
    workload.step = None
    workload.loss_function = None
    monkeypatch.setattr(loop, "prepare", lambda *_: workload.loss(net(), None))
    with pytest.raises(AssertionError):
        loop.run_trial(workload, Trial(seed=0))
