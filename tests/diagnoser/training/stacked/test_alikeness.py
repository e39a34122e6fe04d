"""Do models that can be trained as one pass, and does every other pair get its reason?"""

import dataclasses
import functools
import math
import random
import types
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from diagnoser.training.stacked.alikeness import require_alike
from diagnoser.training.stacked.unstackable import Unstackable


class Net(nn.Module):
    """A layer, and whatever a test hangs onto it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


@dataclasses.dataclass
class Config:
    width: int
    rates: tuple[float, ...] = (0.1, 0.2)


class Plain:
    def __init__(self, value: object) -> None:
        self.value = value


class Quarrelsome:
    def __eq__(self, other: object) -> bool:
        raise ValueError("not with me")

    __hash__ = None  # type: ignore[assignment]


def two(build: Callable[[], nn.Module]) -> list[nn.Module]:
    """Build it under two seeds."""
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  # as user code does
        random.seed(seed)
        models.append(build())
    return models


@contextmanager
def refused(reason: str) -> Iterator[None]:
    with pytest.raises(Unstackable) as raised:
        yield
    assert str(raised.value) == reason


def tied() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    return net


def a_class_in_a_function() -> nn.Module:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)

    return Inner()


def a_method_put_on_the_object() -> nn.Module:
    net = Net()

    def forward(self: Net, x: Tensor) -> Tensor:
        return self.layer(x) * 2

    net.forward = types.MethodType(forward, net)  # type: ignore[method-assign]
    return net


def hooked(make: Callable[[], Any]) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        net = Net()
        net.layer.register_forward_hook(make())
        return net

    return build


def doubling() -> Any:
    by = torch.full((), 2.0)
    return lambda module, given, output: output * by


def recording() -> Any:
    seen: list[Tensor] = []
    return lambda module, given, output: seen.append(output)


def leaky(slope: float) -> Callable[[Tensor], Tensor]:
    return lambda x: F.leaky_relu(x, slope)


def shared_modules() -> nn.Module:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer)


def listed_modules() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net.order = [net[1], net[0]]  # type: ignore[assignment]
    return net


def constants_in_one_piece() -> nn.Module:
    net, table = nn.Linear(4, 4), torch.linspace(0, 1, 8).view(2, 4)
    net.register_buffer("sines", table[0])
    net.register_buffer("cosines", table[1])
    return net


ALIKE = {
    "an MLP": lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4, 2)),
    "a CNN with BatchNorm": lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()),
    "a transformer": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2, enable_nested_tensor=False),
    "tied weights": tied,
    "a layer used twice": shared_modules,
    "its own layers in a list": listed_modules,
    "a parametrisation": lambda: parametrizations.weight_norm(nn.Linear(3, 3)),
    "a class that each call of the factory makes anew": a_class_in_a_function,
    "a method of its own": a_method_put_on_the_object,
    "a hook without state": hooked(doubling),
    "a closure over numbers": lambda: Net(act=leaky(0.1)),
    "a partial": lambda: Net(act=functools.partial(F.leaky_relu, negative_slope=0.1)),
    "a function of torch": lambda: Net(act=torch.relu, other=F.gelu),
    "numbers, also none": lambda: Net(scale=math.nan, steps=3, name="a", shape=torch.Size([2]), kind=torch.float32),
    "NumPy's numbers": lambda: Net(scale=np.float64(0.5), table=np.arange(3.0)),
    "equal tensors": lambda: Net(mask=torch.ones(3, 3).tril(), table={"a": [torch.zeros(2)]}),
    "a config": lambda: Net(config=Config(3), plain=Plain([1, {"a": (2, 3)}]), spaced=types.SimpleNamespace(a=1)),
    "names": lambda: Net(names={"b", "a"}),
    "an object that cannot be compared but looked at": lambda: Net(odd=Quarrelsome()),
    "constants that lie in one piece of memory": constants_in_one_piece,
    "frozen": lambda: Net().requires_grad_(requires_grad=False),
}  # fmt: skip


@pytest.mark.parametrize("build", ALIKE.values(), ids=ALIKE.keys())
def test_models_that_differ_in_the_values_of_their_weights_are_alike(build: Callable[[], nn.Module]) -> None:
    require_alike(two(build))


def test_buffers_may_differ_in_value() -> None:
    def build() -> nn.Module:
        net = Net()
        net.register_buffer("projection", torch.randn(4, 4))
        return net

    require_alike(two(build))


def test_a_single_model_is_like_itself() -> None:
    require_alike([Net()])


def numbered(make: Callable[[int], nn.Module]) -> Callable[[], nn.Module]:
    """Build another model at each call."""
    calls = iter(range(9))
    return lambda: make(next(calls))


def by_turns(*models: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return numbered(lambda index: models[index]())


def method_of_another_model() -> nn.Module:
    one, other = Net(), Net()
    one.borrowed = other.forward  # type: ignore[assignment]
    return one


def a_view(net: Net) -> Net:
    net.flat = net.layer.weight.detach().view(-1)  # type: ignore[assignment]
    return net


def an_alias(net: Net) -> Net:
    net.weights = [net.layer.weight]  # type: ignore[assignment]
    return net


def around_itself(net: Net) -> Net:
    net.act = lambda x: net.layer(x) * 2  # type: ignore[assignment]
    return net


def weakly(net: Net) -> Net:
    net.parent = weakref.ref(net.layer)  # type: ignore[assignment]
    return net


def sharing_memory() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight.data = net[0].weight.data
    return net


def a_buffer_that_is_a_view() -> nn.Module:
    net = nn.Linear(4, 4)
    net.register_buffer("first", net.weight.detach()[0])
    return net


def with_a_gradient_hook(net: Net) -> Net:
    net.layer.bias.register_hook(lambda gradient: gradient * 2)
    return net


def sparse() -> nn.Module:
    net = Net()
    net.register_buffer("adjacency", torch.eye(3).to_sparse())
    return net


def eval_mode(net: Net) -> Net:
    net.layer.eval()
    return net


def frozen_bias(net: Net) -> Net:
    net.layer.bias.requires_grad_(False)
    return net


def untied() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))


def class_by_number(number: int) -> nn.Module:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x) * number

    return Inner()


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


UNALIKE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a random projection": (lambda: Net(mask=torch.randn(3)), "mask differs between trials"),
    "one deep inside": (
        lambda: nn.Sequential(nn.ReLU(), Net(tables={"a": [torch.randn(2)]})),
        "1.tables['a'][0] differs between trials",
    ),
    "a random choice of NumPy": (
        lambda: Net(order=np.random.permutation(50)),  # noqa: NPY002
        "order differs between trials",
    ),
    "a random number": (lambda: Net(scale=random.random()), "scale differs between trials"),
    "a number in an object": (numbered(lambda n: Net(plain=Plain(n))), "plain.value differs between trials"),
    "a number in a config": (numbered(lambda n: Net(config=Config(n))), "config differs between trials"),
    "a number and its text": (by_turns(lambda: Net(a=1), lambda: Net(a="1")), "a differs between trials"),
    "a whole number and a fraction": (
        by_turns(lambda: Net(a=[1]), lambda: Net(a=[1.0])),
        "a[0] is of another type in some trials",
    ),
    "a set": (numbered(lambda n: Net(names={n})), "names differs between trials"),
    "a longer list": (numbered(lambda n: Net(names=["a"] * n)), "names differs between trials"),
    "a function that holds a number": (
        numbered(lambda n: Net(act=lambda x: x * n)),
        "act differs between trials",
    ),
    "a default": (numbered(lambda n: Net(act=lambda x, by=n: x * by)), "act differs between trials"),
    "another function": (by_turns(lambda: Net(act=F.relu), lambda: Net(act=F.elu)), "act differs between trials"),
    "a partial": (
        numbered(lambda n: Net(act=functools.partial(F.leaky_relu, negative_slope=n))),
        "act['negative_slope'] differs between trials",
    ),
    "a generator of its own": (
        numbered(lambda n: Net(rng=np.random.default_rng(n))),
        "rng differs between trials",
    ),
    "torch's generator": (numbered(lambda n: Net(rng=generator(n))), "rng differs between trials"),
    "Python's generator": (numbered(lambda n: Net(rng=random.Random(n))), "rng differs between trials"),
    "an attribute of some": (by_turns(Net, lambda: Net(extra=1)), "extra exists in some trials only"),
    "a layer of some": (
        by_turns(Net, lambda: Net(extra=nn.Linear(2, 2))),
        "extra exists in some trials only, or in another place",
    ),
    "a bias of some": (
        numbered(lambda n: nn.Sequential(nn.Linear(2, 2, bias=n == 0))),
        "0.bias differs between trials",
    ),
    "a shape": (numbered(lambda n: nn.Linear(2, 2 + n)), "weight differs between trials in shape"),
    "a parameter's shape": (
        numbered(lambda n: Net(scale=nn.Parameter(torch.ones(n + 1)))),
        "scale differs between trials in shape",
    ),
    "a type of number": (
        numbered(lambda n: Net().double() if n else Net()),
        "layer.weight differs between trials in dtype",
    ),
    "a frozen bias": (
        by_turns(Net, lambda: frozen_bias(Net())),
        "layer.bias differs between trials in requires_grad",
    ),
    "a type of layer": (
        by_turns(lambda: nn.Sequential(nn.ReLU()), lambda: nn.Sequential(nn.GELU())),
        "0 is of another type in some trials",
    ),
    "a mode": (by_turns(Net, lambda: eval_mode(Net())), "layer.training differs between trials"),
    "a probability": (numbered(lambda n: nn.Sequential(nn.Dropout(n / 2))), "0.p differs between trials"),
    "weights tied in some": (
        by_turns(tied, untied),
        "1.weight is shared with another part of the model in some trials only",
    ),
    "a layer used twice in some": (
        by_turns(shared_modules, lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))),
        "2 is shared with another part of the model in some trials only",
    ),
    "a class of another number": (
        numbered(class_by_number),
        "class_by_number.<locals>.Inner.forward differs between trials",
    ),
    "a hook that records": (hooked(recording), "layer has a hook with a state of its own"),
    "a hook of an object": (hooked(lambda: Plain(1).__eq__), "layer has a hook with a state of its own"),
    "a hook in some": (by_turns(Net, hooked(doubling)), "layer has a hook in some trials only"),
    "layers that torch does not know of": (
        lambda: Net(hidden=[nn.Linear(2, 2)]),
        "hidden[0].weight differs between trials",
    ),
    "another model's method": (method_of_another_model, "borrowed.layer.weight differs between trials"),
}


@pytest.mark.parametrize(("build", "reason"), UNALIKE.values(), ids=UNALIKE.keys())
def test_what_differs_is_named(build: Callable[[], nn.Module], reason: str) -> None:
    models = two(build)
    with refused(reason):
        require_alike(models)


HOPELESS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a parameter in a list": (
        lambda: an_alias(Net()),
        "layer.weight is also kept in weights[0], where a stack cannot replace it",
    ),
    "a view of a parameter": (
        lambda: a_view(Net()),
        "flat shares the memory of layer.weight, and a stack cannot replace it",
    ),
    "a closure over the model": (
        lambda: around_itself(Net()),
        "act is a function that holds on to a part of the model",
    ),
    "a weak reference to a layer": (
        lambda: weakly(Net()),
        "parent is a function that holds on to a part of the model",
    ),
    "memory shared by two parameters": (
        sharing_memory,
        "0.weight and 1.weight share memory and are not one tensor",
    ),
    "memory shared by a parameter and a buffer": (
        a_buffer_that_is_a_view,
        "weight and first share memory and are not one tensor",
    ),
    "a gradient hook": (lambda: with_a_gradient_hook(Net()), "layer.bias has a gradient hook"),
    "a lazy layer": (
        lambda: nn.Sequential(nn.LazyLinear(3)),
        "0.weight has no shape before the first batch (a lazy module)",
    ),
    "a sparse buffer": (sparse, "adjacency is a sparse, quantised or complex tensor"),
    "channels last": (
        lambda: nn.Sequential(nn.Conv2d(3, 3, 3)).to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        "0.weight is laid out channels last, which a stack does not keep",
    ),
    "a complex parameter": (
        lambda: Net(phase=nn.Parameter(torch.zeros(2, dtype=torch.complex64))),
        "phase is a sparse, quantised or complex tensor",
    ),
    "a trained tensor that is no parameter": (
        lambda: Net(loose=torch.zeros(2, requires_grad=True)),
        "loose has a gradient and is no parameter of the model",
    ),
    "a recurrent layer": (
        lambda: nn.Sequential(nn.LSTM(2, 2)),
        "0 is a recurrent layer (LSTM), which torch cannot batch over models",
    ),
    "several devices at once": (
        lambda: nn.Sequential(nn.DataParallel(nn.Linear(2, 2))),
        "0 is compiled or wrapped by torch (DataParallel)",
    ),
    "a traced graph": (
        lambda: torch.fx.symbolic_trace(Net()),
        "the model is compiled or wrapped by torch (Net)",
    ),
}


@pytest.mark.parametrize(("build", "reason"), HOPELESS.values(), ids=HOPELESS.keys())
def test_what_no_stack_can_train_is_refused_though_all_models_have_it(
    build: Callable[[], nn.Module], reason: str
) -> None:
    models = two(build)
    with refused(reason):
        require_alike(models)


def test_a_parameter_that_several_models_share_is_refused() -> None:
    backbone = nn.Linear(2, 2)
    models = [nn.Sequential(backbone, nn.Linear(2, 2)) for _ in range(3)]
    with refused("0.weight is one tensor in several trials"):
        require_alike(models)


def test_a_layer_without_parameters_may_be_shared() -> None:
    act = nn.ReLU()
    require_alike([nn.Sequential(nn.Linear(2, 2), act) for _ in range(3)])


def test_the_last_of_many_is_looked_at() -> None:
    with refused("scale differs between trials"):
        require_alike([Net(scale=1) for _ in range(7)] + [Net(scale=2)])


def test_objects_that_hold_one_another_come_to_an_end() -> None:
    def ring(value: int) -> nn.Module:
        one, other = Plain(value), Plain(0)
        one.next, other.next = other, one  # type: ignore[attr-defined]
        net = Net(ring=other)
        net.itself = net  # a module that is its own child
        return net

    require_alike([ring(1), ring(1)])
    with refused("ring.next.value differs between trials"):
        require_alike([ring(1), ring(2)])


def test_a_list_met_before_is_looked_at_again_inside_a_function() -> None:
    def build() -> nn.Module:
        net = Net()
        stages = [net.layer]
        net.stages = stages  # type: ignore[assignment]
        net.act = lambda x: stages[0](x) * 2  # type: ignore[assignment]
        return net

    with refused("act[0] is a function that holds on to a part of the model"):
        require_alike(two(build))


def test_no_code_of_the_models_runs() -> None:
    class Shy(Net):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError("forward")

        def extra_repr(self) -> str:
            raise AssertionError("repr")

        def __getattr__(self, name: str) -> Any:
            if name in {"layer", "training"}:
                return super().__getattr__(name)
            raise AssertionError(name)

    require_alike([Shy(), Shy()])
