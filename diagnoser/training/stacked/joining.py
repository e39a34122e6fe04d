"""How do N models become one? Their weights lie in one tensor, and their own parameters are views into it.

So whatever looks at one of the models (evaluations, instruments, the small set) goes on as if it were alone.

Shapes: N trials, P trainable numbers of one trial.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Column:
    """Where one parameter lies in the flat tensor."""

    name: str
    shape: torch.Size
    start: int
    end: int


class Joined:
    """N models of one structure, trained as one."""

    def __init__(self, models: Sequence[nn.Module], *, trained: Sequence[Tensor]) -> None:
        """Join models that are alike; `trained` are the first one's that get updates, in the order of their columns."""
        self.models = list(models)
        self._of = [dict(model.named_parameters()) for model in models]
        first = self._of[0]
        named = {id(parameter): name for name, parameter in first.items()}
        names = [named[id(parameter)] for parameter in trained]
        self.columns = tuple(_columns(names, first))
        total, example = self.columns[-1].end, trained[0]
        self.weights = torch.empty(len(models), total, dtype=example.dtype, device=example.device)  # (N, P)
        for row, parameters in zip(self.weights, self._of, strict=True):
            for column in self.columns:
                row[column.start : column.end] = parameters[column.name].detach().reshape(-1)
        fixed = [name for name in first if name not in set(names)]
        self.fixed = {name: torch.stack([of[name].detach() for of in self._of]) for name in fixed}  # each (N, ...)
        self._places = [list(_buffers(model)) for model in models]
        held = [dict(model.named_buffers()) for model in models]
        self.buffers = {name: torch.stack([of[name] for of in held]) for name in held[0]}  # each (N, ...)
        self._point()

    def __len__(self) -> int:
        return len(self.models)

    def state(self) -> dict[str, Tensor]:
        """Return all that a forward pass reads: trained weights, fixed ones and buffers, each (N, ...)."""
        return {**self.leaves, **self.fixed, **self.buffers}

    def backward(self, loss: Tensor, *, adds: bool) -> None:
        """Differentiate by all trained weights; `adds` to the gradient of the batches before."""
        found = torch.autograd.grad(loss, list(self.leaves.values()))
        if adds:
            torch._foreach_add_(self._gradients, found)  # as torch's own optimizers do
        else:
            torch._foreach_copy_(self._gradients, found)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these trials only; the others' models get weights of their own."""
        gone = set(range(len(self))) - set(rows)
        for row in gone:
            self._let_go(row)
        index = torch.tensor(rows, dtype=torch.int64, device=self.weights.device)
        self.models = [self.models[row] for row in rows]
        self._of = [self._of[row] for row in rows]
        self._places = [self._places[row] for row in rows]
        self.weights = self.weights[index]
        self.fixed = {name: tensor[index] for name, tensor in self.fixed.items()}
        self.buffers = {name: tensor[index] for name, tensor in self.buffers.items()}
        self._point()

    def _point(self) -> None:
        """Make leaves for autograd, and let the models' own tensors look into the joined ones."""
        self.gradient = torch.zeros_like(self.weights)  # (N, P)
        self.leaves = {column.name: self._piece(self.weights, column).requires_grad_() for column in self.columns}
        self._gradients = [self._piece(self.gradient, column) for column in self.columns]
        for row, (places, parameters) in enumerate(zip(self._places, self._of, strict=True)):
            for column in self.columns:
                parameter = parameters[column.name]
                parameter.data = self.weights[row, column.start : column.end].view(column.shape)
                parameter.grad = self.gradient[row, column.start : column.end].view(column.shape)
            for name, tensor in self.fixed.items():
                parameters[name].data = tensor[row]
            for name, module, attribute in places:
                module._buffers[attribute] = self.buffers[name][row]  # noqa: SLF001  # the only way to rebind one

    def _let_go(self, row: int) -> None:
        for parameter in self._of[row].values():
            parameter.data = parameter.data.clone()
            parameter.grad = None
        for name, module, attribute in self._places[row]:
            module._buffers[attribute] = self.buffers[name][row].clone()  # noqa: SLF001

    def _piece(self, flat: Tensor, column: Column) -> Tensor:
        return flat[:, column.start : column.end].view(len(self.models), *column.shape).detach()


def _columns(names: Sequence[str], parameters: Mapping[str, Tensor]) -> Iterator[Column]:
    start = 0
    for name in names:
        end = start + parameters[name].numel()
        yield Column(name=name, shape=parameters[name].shape, start=start, end=end)
        start = end


def _buffers(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Yield each place of a buffer: the name under which `named_buffers` has it, its module, its attribute."""
    names: dict[int, str] = {}
    for prefix, module in model.named_modules():
        for attribute, tensor in module._buffers.items():  # noqa: SLF001
            if tensor is not None:
                name = names.setdefault(id(tensor), f"{prefix}.{attribute}" if prefix else attribute)
                yield name, module, attribute
