"""Is an odd batch understood, or answered with a step that can be pasted?"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from diagnoser.errors import UserCodeError
from tests.helpers.training import classes, loaded, net, ran


class Named(NamedTuple):
    image: Tensor
    label: Tensor


ROWS = 32


class Rows(Dataset[Any]):
    """Makes a row of whatever structure."""

    def __init__(self, make: Callable[[Tensor, Tensor], Any]) -> None:
        self.x, self.y = classes(ROWS)
        self.make = make

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, i: int) -> Any:
        return self.make(self.x[i], self.y[i])


class Keyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, pixel_values: Tensor) -> Any:
        return self.net(pixel_values)


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, left: Tensor, right: Tensor) -> Any:
        return self.net(left + right)


class OneDict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, features: dict[str, Tensor]) -> Any:
        return self.net(features["a"] + features["b"])


class OwnLoss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
        logits = self.net(x)
        loss = torch.zeros(()) if labels is None else nn.functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


class Answer:
    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


class WithAttribute(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, x: Tensor) -> Any:
        return Answer(self.net(x))


class WithTuple(WithAttribute):
    def forward(self, x: Tensor) -> Any:
        return self.net(x), x


CASES: list[tuple[str, Callable[[Tensor, Tensor], Any], Callable[[], nn.Module], str]] = [
    ("a pair", lambda x, y: (x, y), net, "(input, target)"),
    ("a list", lambda x, y: [x, y], net, "(input, target)"),
    ("a named tuple", Named, net, "(input, target)"),
    ("a dict that names the input", lambda x, y: {"pixel_values": x, "labels": y}, Keyword, "dict: inputs 'pixel_values', target 'labels'"),
    ("a dict with foreign names", lambda x, y: {"picture": x, "y": y}, net, "dict: input 'picture', target 'y'"),
    ("a dict with more keys", lambda x, y: {"index": y, "x": x, "label": y}, net, "dict: input 'x', target 'label'"),
    ("a dict for a model with two inputs", lambda x, y: {"left": x, "right": x, "target": y}, TwoInputs, "dict: inputs 'left', 'right', target 'target'"),
    ("two inputs before the target", lambda x, y: (x, x, y), TwoInputs, "(input 0, input 1, target)"),
    ("a nested pair of inputs", lambda x, y: ((x, x), y), TwoInputs, "((input 0, input 1), target)"),
    ("a third part that is not needed", lambda x, y: (x, torch.zeros(2), y), net, "(input, unused, target)"),
    ("a dict in a pair", lambda x, y: ({"a": x, "b": x}, y), OneDict, "(dict of inputs, target)"),
    ("keywords in a pair", lambda x, y: ({"left": x, "right": x}, y), TwoInputs, "('left', 'right', target)"),
    ("an answer with logits", lambda x, y: (x, y), WithAttribute, "(input, target)"),
    ("an answer that is a tuple", lambda x, y: (x, y), WithTuple, "(input, target)"),
    ("a model with its own loss", lambda x, y: {"x": x, "labels": y}, OwnLoss, "dict: inputs 'x', target 'labels'"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "model", "told"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_batches_of_many_shapes_are_understood(make: Any, model: Callable[[], nn.Module], told: str) -> None:
    workload = loaded(model, (Rows(make), Rows(make)))
    assert workload.assumptions().batch_layout == told
    result = ran(workload, updates=20)
    assert result.error is None
    assert result.final_loss is not None
    assert result.final_loss < (result.initial_loss or 0)
    assert result.evaluations[-1].validation_metric is not None
    assert 0 <= result.evaluations[-1].validation_metric <= 1


def test_layouts_take_apart_and_put_together() -> None:
    workload = loaded(Keyword, (Rows(lambda x, y: {"pixel_values": x, "labels": y}),) * 2)
    batch, layout = workload.train.head(4), workload.layout
    assert layout is not None
    assert torch.equal(layout.first_input(batch), batch["pixel_values"])
    changed = layout.with_target(batch, torch.zeros(4))
    assert layout.target(changed) is not None
    assert batch["labels"].dtype is torch.int64  # the given batch stays as it was
    assert torch.equal(layout.first_input(layout.map_inputs(batch, torch.zeros_like)), torch.zeros(4, 4))


def test_one_tensor_is_compared_with_itself() -> None:
    x, _ = classes(32)
    workload = loaded(lambda: nn.Linear(4, 4), (x, x.clone()))
    told = workload.assumptions()
    assert (told.task, told.loss, told.batch_layout) == ("regression", "mse_loss", "input, compared with itself")
    assert ran(workload, updates=5).error is None


def test_a_step_may_know_more_than_we_do() -> None:
    class Denoiser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(5, 4)

        def forward(self, x: Tensor, t: Tensor) -> Any:
            return self.net(torch.cat([x, t[:, None]], 1))

    def step(model: nn.Module, batch: Any) -> Tensor:
        (x,) = batch
        noise = torch.randn_like(x)
        return (model(x + noise, torch.rand(len(x))) - noise).square().mean()

    x, _ = classes(64)
    workload = loaded(Denoiser, ((x,), (x,)), step_fn=step)
    told = workload.assumptions()
    assert (told.task, told.metric, told.higher_is_better, told.loss_family) == ("custom", "loss", False, "other")
    result = ran(workload, updates=30)
    assert result.error is None
    assert result.initial_outputs_std is None
    assert result.evaluations[-1].validation_metric == result.evaluations[-1].validation_loss


def test_a_batch_that_cannot_be_read_is_shown_with_a_step_to_paste() -> None:
    with pytest.raises(UserCodeError) as raised:
        loaded(TwoInputs, (Rows(lambda x, y: {"image": x, "labels": y}),) * 2)
    words = str(raised.value)
    assert "'image': tensor of float32 (16, 4)" in words
    assert "def training_step(model, batch):" in words
    assert "output = model(batch['image'])" in words
    compile(words[words.index("def training_step") :], "step", "exec")


def test_a_model_that_fails_shows_the_batch_and_the_users_line() -> None:
    with pytest.raises(UserCodeError) as raised:
        loaded(lambda: nn.Linear(5, 3), (Rows(lambda x, y: (x, y)),) * 2)
    assert "mat1 and mat2 shapes cannot be multiplied" in str(raised.value)
    assert "(16, 4)" in str(raised.value)


def test_text_in_place_of_numbers_is_refused_with_words() -> None:
    with pytest.raises(UserCodeError, match="tuple of 16 str"):
        loaded(net, (Rows(lambda _, y: ("a sentence", y)),) * 2)
