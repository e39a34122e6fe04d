"""Where in its text does a token stand? Added to the embedding of every text, as attention cannot know it."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.training.call_trace import forward_once
from diagnoser.training.modes import batch_statistics
from diagnoser.training.randomness import forked
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload

WAVES = 10_000.0  # the longest, in places (Vaswani et al. 2017, section 3.5)
SHORTEST = 3  # tokens; fewer are a pair of codes, not a text


def insert_positions(model: nn.Module, workload: Workload) -> None:
    """Add sine and cosine of the place to each text's embedding, as large as the embedding itself."""
    found: dict[nn.Module, None] = {}

    def note(module: nn.Module, args: tuple[Any, ...], _: Any) -> None:
        if args and isinstance(args[0], Tensor) and _is_text(args[0]):
            found[module] = None

    handles = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, nn.Embedding)]
    try:
        with batch_statistics(model), torch.no_grad(), forked(0):
            forward_once(model, workload, workload.to_device(workload.train.head(8)))
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise Unsupported("the model embeds no text")
    for embedding in found:
        embedding.register_forward_hook(_placed)


def waves(length: int, width: int) -> Tensor:
    """(T, D): sines in the even places of a row and cosines in the odd ones, ever longer."""
    places = torch.arange(length)[:, None]
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(WAVES) / width))
    found = torch.zeros(length, width)
    found[:, 0::2] = torch.sin(places * rates)
    found[:, 1::2] = torch.cos(places * rates)[:, : width // 2]
    return found


def _is_text(given: Tensor) -> bool:
    """(N, T) of whole numbers; the places themselves are the same in each row, and embedded already."""
    whole = not given.is_floating_point() and given.ndim == 2 and given.shape[1] >= SHORTEST
    return whole and bool((given != given[:1]).any())


def _placed(module: nn.Embedding, _: Any, output: Tensor) -> Tensor:
    if output.ndim != 3:
        return output
    size = module.weight.detach().std()
    return output + math.sqrt(2) * size * waves(*output.shape[1:]).to(output)  # a wave's own std is 1 / sqrt 2
