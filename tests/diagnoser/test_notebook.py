"""In a notebook or a script: live objects in, a diagnosis out, and the session is as it was."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import diagnoser
from diagnoser.errors import SpecError, UserCodeError

Pair = tuple[Tensor, Tensor]


def build_model() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def pairs() -> tuple[Pair, Pair]:
    x = torch.randn(240, 4, generator=torch.Generator().manual_seed(0))
    y = x[:, :3].argmax(1)
    return (x[:180], y[:180]), (x[180:], y[180:])


def arrays() -> tuple[Any, Any]:
    train, validation = pairs()
    return tuple(t.numpy() for t in train), tuple(t.numpy() for t in validation)


def loaders() -> tuple[DataLoader[Any], DataLoader[Any]]:
    train, validation = (TensorDataset(*pair) for pair in pairs())
    return DataLoader(train, batch_size=16, shuffle=True), DataLoader(validation, batch_size=64)


def state() -> tuple[object, ...]:
    """Everything of the session that training might change."""
    return (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),  # type: ignore[index]  # the tuple form # noqa: NPY002
        random.getstate(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
    )


WAYS: dict[str, tuple[Callable[[], Any], Callable[[], Any], dict[str, Any]]] = {
    "functions": (lambda: build_model, lambda: pairs, {"loss": "cross_entropy"}),
    "a module and tensors": (build_model, pairs, {"loss": nn.CrossEntropyLoss(), "lr": 0.01}),
    "lambdas and arrays": (
        lambda: lambda: nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)),
        arrays,
        {"loss": lambda output, target: 1.0 * nn.functional.cross_entropy(output, target)},
    ),
    "loaders and an optimizer's class": (lambda: build_model, loaders, {"optimizer": torch.optim.SGD, "lr": 0.1}),
    "a step, one trial after the other": (
        lambda: build_model,
        pairs,
        {"step": lambda m, b: nn.functional.cross_entropy(m(b[0]), b[1]), "stack": False},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_live_objects_give_a_diagnosis_and_the_session_is_as_it_was(
    way: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model, data, more = WAYS[way]
    given_model, given_data = model(), data()
    torch.manual_seed(5)
    before = state()
    diagnosis = diagnoser.diagnose(given_model, given_data, preset="quick", budget_minutes=0.4, progress=False, **more)
    assert state() == before
    assert diagnosis.run.plan.executor == "notebook"
    if more.get("stack") is False:
        assert not diagnosis.run.plan.stacked
    assert diagnosis.verdict != "broken"
    assert diagnosis.steps.preflight.assumptions.status == "measured"
    assert capsys.readouterr().out == ""
    assert str(diagnosis.verdict) in diagnosis._repr_html_()
    page = tmp_path / "report.html"
    diagnosis.to_html(page)
    assert page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"epoch": 3}, "did you mean `epochs`?"),
        ({"preset": "fast"}, "expected `quick`, `standard` or `thorough`"),
        ({"loss": "crossentropy"}, "did you mean `cross_entropy`?"),
        ({"budget_minutes": -1}, "expected a number above 0"),
    ],
)
def test_a_keyword_that_no_spec_has_is_an_error_with_a_suggestion(more: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as told:
        diagnoser.diagnose(build_model, pairs, **more)
    assert words in str(told.value)
    assert "diagnoser.diagnose(...)" in str(told.value)


def _raising() -> nn.Module:
    raise RuntimeError("no weights for you")


@pytest.mark.parametrize(
    ("model", "more", "words"),
    [
        (_raising, {}, "model: what you passed failed: RuntimeError: no weights for you"),
        ("a model", {}, "model: what you passed failed"),
        (build_model, {"loss": lambda output, target: output}, "must be a scalar"),
    ],
)
def test_objects_that_give_no_first_batch_are_told_in_the_users_words(
    model: Any, more: dict[str, Any], words: str
) -> None:
    before = state()
    with pytest.raises(UserCodeError) as told:
        diagnoser.diagnose(model, pairs, **more)
    assert words in str(told.value)
    assert "live_object" not in str(told.value)
    assert state() == before
