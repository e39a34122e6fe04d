"""Are optimizers that cannot be made one refused, in words that a user understands?"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from diagnoser.training.stacked.optimisers import StackedOptimizer, layout
from diagnoser.training.stacked.unstackable import Unstackable


def parameter() -> nn.Parameter:
    return nn.Parameter(torch.zeros(3))


class Own(SGD):
    """A program's own optimizer."""


def hooked() -> Optimizer:
    one = SGD([parameter()], lr=0.1)
    one.register_step_pre_hook(lambda *_: None)
    return one


def replaced() -> Optimizer:
    one = SGD([parameter()], lr=0.1)
    one.step = lambda closure=None: None  # type: ignore[method-assign,assignment,misc]
    return one


def begun(kind: type[Optimizer]) -> Optimizer:
    held = parameter()
    held.grad = torch.ones(3)
    made: Any = kind
    one: Optimizer = made([held], lr=0.1, **({"momentum": 0.9} if kind is SGD else {}))
    one.step()
    return one


def added_later() -> Optimizer:
    one = Adagrad([parameter()], lr=0.1)
    one.add_param_group({"params": [parameter()]})
    return one


REFUSED: list[tuple[Callable[[], Sequence[Optimizer]], str]] = [
    (lambda: [torch.optim.NAdam([parameter()])], "the optimizer is NAdam: only torch's SGD, Adam, AdamW, RMSprop and Adagrad are stacked"),
    (lambda: [torch.optim.LBFGS([parameter()])], "the optimizer is LBFGS"),
    (lambda: [Own([parameter()], lr=0.1)], "the optimizer is Own of the program's own"),
    (lambda: [SGD([parameter()], lr=0.1), Adam([parameter()])], "different optimizers: SGD and Adam"),
    (lambda: [Adam([parameter()]), AdamW([parameter()])], "different optimizers: Adam and AdamW"),
    (lambda: [Adam([parameter()]), Adam([parameter()], amsgrad=True)], "'amsgrad' differs between trials"),
    (lambda: [RMSprop([parameter()]), RMSprop([parameter()], centered=True)], "'centered' differs"),
    (lambda: [SGD([parameter()], lr=0.1, maximize=True), SGD([parameter()], lr=0.1)], "'maximize' differs"),
    (lambda: [SGD([parameter()], lr=0.1, momentum=0.9, nesterov=True), SGD([parameter()], lr=0.1)], "'nesterov' differs"),
    (lambda: [SGD([parameter()], lr=0.1), SGD([parameter(), parameter()], lr=0.1)], "different parameter groups"),
    (lambda: [Adam([parameter()], differentiable=True)], "the optimizer is differentiable"),
    (lambda: [Adam([parameter()], capturable=True)], "the optimizer is capturable"),
    (lambda: [SGD([parameter()], lr=torch.tensor(0.1))], "'lr' is a tensor"),
    (lambda: [hooked()], "the optimizer has hooks"),
    (lambda: [replaced()], "the optimizer's step has been replaced"),
    (lambda: [begun(SGD)], "has made steps already"),
    (lambda: [begun(Adam)], "has made steps already"),
    (lambda: [begun(Adagrad)], "has made steps already"),
    (lambda: [added_later()], "a parameter was added to Adagrad later"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_what_cannot_be_stacked_is_refused_in_words(made: Callable[[], Sequence[Optimizer]], why: str) -> None:
    optimizers = made()
    before = [copy.deepcopy(one.state_dict()) for one in optimizers]
    columns = layout(optimizers[0]).columns
    with pytest.raises(Unstackable, match=why):
        StackedOptimizer(optimizers, columns, weights=torch.zeros(len(optimizers), columns[-1].stop))
    assert [len(one.state_dict()["state"]) for one in optimizers] == [len(b["state"]) for b in before]
