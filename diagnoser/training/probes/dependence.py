"""What do the outputs of an untrained model depend on: inputs, other rows, later tokens, the order, chance?

Each question exchanges something that should (or should not) matter, in eval mode with the random state fixed, and
compares outputs. Integer inputs are exchanged, never differentiated.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.spec.fields import Task
from diagnoser.training.batches import tensors
from diagnoser.training.probes.bench import UnanswerableError, answer, difference
from diagnoser.training.probes.double import as_double, default_double
from diagnoser.training.probes.targets import CONTINUED
from diagnoser.training.workload import Workload

IGNORED = 1e-6  # relative difference below which outputs are equal (CATALOGUE, inputs-ignored-by-model)
MIXED = 1e-5  # above the float32 noise of one row's sums when its neighbour changes
AFFINE = 1e-4  # of what the output moves at all (CATALOGUE, layers-without-nonlinearity)
SCALES = (1.0, 10.0, 100.0)  # a small signal is nearly linear in any network; a larger one is not
ROWS = 8  # a first, a middle and a last one, and some to tell apart


class Model:
    """A model in eval mode beside its workload, asked again and again for one batch with one thing changed."""

    def __init__(self, workload: Workload, model: nn.Module, batch: Any) -> None:
        if workload.layout is None:
            raise UnanswerableError("which part of a batch is the input could not be told")
        self.workload, self.layout, self.model, self.batch = workload, workload.layout, model, batch
        self.first = self.layout.first_input(batch)
        self.rows = self.first.shape[0] if self.first.ndim else 0
        self.given = answer(workload, model, batch)

    def changed(self, change: Any) -> Tensor:
        """Answer for inputs that `change` was applied to, each tensor with rows of its own."""

        def per_row(tensor: Tensor) -> Tensor:
            return change(tensor) if tensor.ndim and tensor.shape[0] == self.rows else tensor

        return answer(self.workload, self.model, self.layout.map_inputs(self.batch, per_row))

    def by_row(self, output: Tensor) -> Tensor:
        """(N, values of that row): also for outputs that were flattened to (N x T, V)."""
        if not output.ndim or not self.rows or output.shape[0] % self.rows:
            raise UnanswerableError("the output has no axis of rows")
        return output.reshape(self.rows, -1)


def stochastic(workload: Workload, model: nn.Module, batch: Any) -> tuple[bool, bool]:
    """Tell whether two passes differ, and whether they do with the random state fixed."""
    once = answer(workload, model, batch, seed=1)
    other = answer(workload, model, batch, seed=2)
    again = answer(workload, model, batch, seed=1)
    return difference(once, other) > IGNORED, difference(once, again) > IGNORED


def ignores_inputs(asked: Model) -> bool:
    """Exchanging the inputs of rows changes no output."""
    _distinct_rows(asked.first)
    return difference(asked.given, asked.changed(lambda tensor: tensor.roll(1, 0))) <= IGNORED


def mixes_samples(asked: Model) -> bool:
    """Another input in row j changes the output of another row. The last row shows what goes back."""
    _distinct_rows(asked.first)
    for row in sorted({0, asked.rows // 2, asked.rows - 1}):
        other = next((r for r in range(asked.rows) if not torch.equal(asked.first[r], asked.first[row])), None)
        if other is None:
            continue

        def replace(tensor: Tensor, row: int = row, other: int = other) -> Tensor:
            changed = tensor.clone()
            changed[row] = tensor[other]
            return changed

        before, after = asked.by_row(asked.given), asked.by_row(asked.changed(replace))
        kept = torch.arange(asked.rows) != row
        scale = max(before.abs().max().item(), after.abs().max().item())
        if not (before.isfinite().all() and after.isfinite().all()):
            raise UnanswerableError("outputs are not finite")
        if scale and (before[kept] - after[kept]).abs().max().item() / scale > MIXED:
            return True
    return False


def sees_future(asked: Model) -> bool:
    """A changed later token changes an earlier output.

    Of several texts (source and translation) the one is changed that holds the earlier targets: only there is the next
    token the answer.
    """
    tokens = _text_to_continue(asked)
    output = _by_time(asked, tokens)
    spare = torch.unique(tokens)
    if len(spare) < 2:
        raise UnanswerableError("all tokens are equal")
    for position in sorted({tokens.shape[1] // 2, tokens.shape[1] - 1}):
        if position == 0:
            continue

        def replace(tensor: Tensor, position: int = position) -> Tensor:
            if tensor is not tokens:
                return tensor
            changed = tensor.clone()
            here = changed[:, position]
            changed[:, position] = torch.where(here == spare[0], spare[-1], spare[0])
            return changed

        after = _by_time(asked, tokens, asked.changed(replace))
        if difference(output[:, :position], after[:, :position]) > MIXED:
            return True
    return False


def ignores_order(asked: Model) -> bool:
    """Two exchanged earlier tokens leave the last output as it was, in the text that is continued or in the first."""
    return _ignores_order_of(asked, _main_text(asked))


def ignores_order_of_another(asked: Model) -> bool:
    """The same of any other text that the model is given: what is translated."""
    main = _main_text(asked)
    return any(_ignores_order_of(asked, text) for text in texts(asked) if text is not main)


def texts(asked: Model) -> list[Tensor]:
    """All inputs that may be rows of tokens."""
    leaves = tensors(asked.layout.inputs(asked.batch))
    return [leaf for leaf in leaves if leaf.ndim == 2 and leaf.shape[1] >= 3 and _are_tokens(leaf)]


def _main_text(asked: Model) -> Tensor:
    return _text_to_continue(asked) if is_language_model(asked.workload) else _tokens(asked)


def _ignores_order_of(asked: Model, tokens: Tensor) -> bool:
    """The latest two tokens that differ are exchanged: an untrained memory is short."""
    left, right = _latest_different_neighbours(tokens)
    some = (left >= 0).nonzero().flatten()
    if not len(some):
        raise UnanswerableError("no two neighbouring tokens differ")

    def exchange(tensor: Tensor) -> Tensor:
        if tensor is not tokens:
            return tensor
        changed = tensor.clone()
        changed[some, left[some]], changed[some, right[some]] = tensor[some, right[some]], tensor[some, left[some]]
        return changed

    before, after = asked.given, asked.changed(exchange)
    try:
        before, after = _by_time(asked, tokens, before)[:, -1], _by_time(asked, tokens, after)[:, -1]
    except UnanswerableError:  # one answer for the whole text
        before, after = asked.by_row(before), asked.by_row(after)
    return difference(before[some.cpu()], after[some.cpu()]) <= MIXED


def is_affine(asked: Model) -> bool:
    """f(x) + f(y) - f(x + y) - f(0) is nothing beside what f moves, in float64, at three scales of the inputs."""
    if not asked.first.is_floating_point():
        raise UnanswerableError("the inputs are not real numbers")
    _distinct_rows(asked.first)
    workload, batch = asked.workload, as_double(asked.batch)
    layout = asked.layout
    model = copy.deepcopy(asked.model).double()
    with default_double():
        for scale in SCALES:

            def at(change: Any) -> Tensor:
                return answer(workload, model, layout.map_inputs(batch, change))

            x, y = at(lambda t, s=scale: t * s), at(lambda t, s=scale: t.roll(1, 0) * s)
            both, none = at(lambda t, s=scale: (t + t.roll(1, 0)) * s), at(torch.zeros_like)
            moved = max((x - none).abs().max().item(), (y - none).abs().max().item())
            if moved == 0:
                raise UnanswerableError("the inputs move no output")
            if not (x + y - both - none).abs().max().item() / moved < AFFINE:
                return False
    return True


def _distinct_rows(inputs: Tensor) -> None:
    if inputs.ndim == 0 or inputs.shape[0] < 2 or bool((inputs == inputs[:1]).all()):
        raise UnanswerableError("all rows have the same input")


def _tokens(asked: Model) -> Tensor:
    tokens = asked.first
    if tokens.is_floating_point() or tokens.dtype == torch.bool or tokens.ndim != 2 or tokens.shape[1] < 3:
        raise UnanswerableError("the inputs are not rows of tokens")
    return tokens


def _text_to_continue(asked: Model) -> Tensor:
    """The tokens that the targets continue; the first input where no other could be meant."""
    inputs = [leaf for leaf in tensors(asked.layout.inputs(asked.batch)) if leaf.ndim == 2 and _are_tokens(leaf)]
    if len(inputs) < 2:
        return _tokens(asked)
    target = asked.layout.target(asked.batch)
    for tokens in inputs:
        if target is None or target.shape != tokens.shape or tokens.shape[1] < 3:
            continue
        for given, wanted in ((tokens[:, 1:], target[:, :-1]), (tokens, target)):  # the second: the model shifts
            counted = wanted >= 0
            if counted.any() and float((given == wanted)[counted].float().mean()) >= CONTINUED:
                return tokens
    raise UnanswerableError("which of the texts the targets continue could not be told")


def _are_tokens(tensor: Tensor) -> bool:
    """Whole numbers that are not only 0 and 1, which is a mask."""
    return not tensor.is_floating_point() and tensor.dtype != torch.bool and bool((tensor > 1).any())


def _by_time(asked: Model, tokens: Tensor, output: Tensor | None = None) -> Tensor:
    """(N, T, values): outputs (N, T, V), (N, V, T) or flattened."""
    output = asked.given if output is None else output
    rows, length = tokens.shape
    if output.ndim >= 3 and output.shape[:2] == (rows, length):
        return output.flatten(2)
    if output.ndim == 3 and output.shape[0] == rows and output.shape[2] == length:
        return output.transpose(1, 2)
    if output.ndim == 2 and output.shape[0] == rows * length:
        return output.reshape(rows, length, -1)
    raise UnanswerableError("there is no output for each token")


def _latest_different_neighbours(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Per row the latest two neighbouring positions before the last whose tokens differ; -1 where there are none."""
    differs = tokens[:, :-2] != tokens[:, 1:-1]  # (N, T - 2)
    numbers = torch.arange(differs.shape[1], device=tokens.device).expand_as(differs)
    left = torch.where(differs, numbers, -1).amax(dim=1)
    return left, left + 1


def is_language_model(workload: Workload) -> bool:
    return workload.task is Task.LANGUAGE_MODEL
