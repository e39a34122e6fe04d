"""Which units does each trial of a stack drop out? On the CPU the very ones that it would drop out alone."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from types import FunctionType, SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from diagnoser.training.stacked.attention import attention
from diagnoser.training.stacked.unstackable import Unstackable


class Masks(TorchFunctionMode):
    """Give every dropout inside `with masks: vmap(forward, randomness="error")` the masks of the lone trials.

    Covers: `F.dropout`, `F.dropout1d`, `2d`, `3d`, `torch.dropout`, `torch.feature_dropout`, in place or not,
    `F.scaled_dot_product_attention` and `F.multi_head_attention_forward`, hence the modules made of them; inputs that
    all trials share. The masks equal the lone trial's on the CPU, the results in all but the last bit, as long as
    vmap's tensor has its axes in the same order in memory as the lone one: where torch fills in the order of memory,
    a mask for another order is another mask. On other devices each trial draws from a generator of its own.

    Does not cover: alpha dropout, the dropout inside RNN modules, `torch.rand` and its kin, which vmap refuses;
    dropout in place on a tensor that all trials share, or inside a torch.func transform of the model's own, which
    are refused here (Unstackable).
    """

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.generators = list(generators)
        self.intercepted = False  # whether a mask has been drawn
        self._ours = self._replacements()

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these trials only, in this order."""
        self.generators = [self.generators[row] for row in rows]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return self._ours.get(func, func)(*args, **(kwargs or {}))

    def _replacements(self) -> dict[Any, Callable[..., Any]]:
        kernels: dict[str, Callable[..., Any]] = {}
        for name in ("dropout", "dropout_", "feature_dropout", "feature_dropout_"):
            kernels[name] = self._kernel(getattr(torch, name))
        theirs = F.scaled_dot_product_attention

        def attend(  # noqa: PLR0917  # torch's signature
            query: Tensor,
            key: Tensor,
            value: Tensor,
            attn_mask: Tensor | None = None,
            dropout_p: float = 0.0,
            is_causal: bool = False,  # noqa: FBT001, FBT002
            **rest: Any,
        ) -> Tensor:
            if dropout_p == 0:
                return theirs(query, key, value, attn_mask, dropout_p, is_causal, **rest)
            drop = kernels["dropout"]
            return attention(
                query, key, value, attn_mask, dropout_p=dropout_p, is_causal=is_causal, **rest, dropout=drop
            )

        # Torch's own Python code, with these kernels below it: its checks, warnings and shapes stay its own.
        names = {**vars(F), "_VF": SimpleNamespace(**kernels), "scaled_dot_product_attention": attend}
        composed = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.multi_head_attention_forward)
        for function in composed:
            names[function.__name__] = _rebound(function, names)
        return {
            theirs: attend,
            **{getattr(torch, name): kernel for name, kernel in kernels.items()},
            **{function: names[function.__name__] for function in composed},
        }

    def _kernel(self, theirs: Callable[[Tensor, float, bool], Tensor]) -> Callable[[Tensor, float, bool], Tensor]:
        feature, inplace = theirs.__name__.startswith("feature"), theirs.__name__.endswith("_")

        def kernel(input: Tensor, p: float, train: bool) -> Tensor:  # noqa: FBT001  # torch's signature
            if not train or not 0 < p < 1 or not input.numel() or (feature and input.ndim < 2):
                return theirs(input, p, train)  # draws nothing, or says what is wrong
            if inplace and not _levels().is_batchedtensor(input):
                raise Unstackable("the model drops out in place on a tensor that all trials share")
            noise = self._noise(input, 1 - p, feature=feature)
            return input.mul_(noise) if inplace else input.mul(noise)

        return kernel

    def _noise(self, input: Tensor, keep: float, *, feature: bool) -> Tensor:
        """Draw what `empty_like(input).bernoulli_(keep).div_(keep)` would hold in each trial alone."""
        levels = _levels()
        size = levels.stack_size()
        assert size == len(self.generators), "the stack was repacked and its masks were not"
        self.intercepted = True
        shape: tuple[int, ...] = input.shape
        strides: tuple[int, ...] | None = input.stride()
        if feature:
            shape, strides = (*shape[:2], *(1 for _ in shape[2:])), None  # torch makes this one afresh
        with levels.outside():
            layout = _dense(shape, strides)
            noise = torch.empty_strided((size, *shape), layout, dtype=input.dtype, device=input.device)  # (N, ...)
            for row, generator in zip(noise.unbind(0), self.generators, strict=True):
                row.bernoulli_(keep, generator=generator)
            noise.div_(keep)
        given: Tensor = levels.per_trial(noise)
        return given


@cache
def _levels() -> Any:
    try:
        from diagnoser.training.stacked import levels
    except ImportError as error:
        raise Unstackable(f"torch {torch.__version__} has no way to give each trial its own dropout") from error
    return levels


@lru_cache(maxsize=256)  # a model has few shapes, and asks at every step
def _dense(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return strides for a row per trial, each laid out as `empty_like` would lay it out; None: contiguous."""
    if strides is None:
        row = torch.empty(shape, device="meta")
    else:
        row = torch.empty_like(torch.empty_strided(shape, strides, device="meta"))
    return (row.numel(), *row.stride())


def _rebound(function: Any, names: dict[str, Any]) -> Any:
    """Copy a function, to look its global names up elsewhere."""
    copied = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


def generators_like_lone(states: Sequence[Tensor], device: torch.device) -> list[torch.Generator]:
    """Make a generator per trial from `torch.get_rng_state()` as it was when the lone trial would begin to train.

    On the CPU it draws what torch's own generator would draw next. On another device it is seeded from there: a lone
    trial's numbers come from kernels that draw in an order of their own.
    """
    generators = []
    for state in states:
        generator = torch.Generator()
        generator.set_state(state)
        if device.type != "cpu":
            seed = int(torch.randint(2**62, (), generator=generator))
            generator = torch.Generator(device).manual_seed(seed)
        generators.append(generator)
    return generators
