"""Does code of the user's own lay a random mask over hidden units, and does it keep their mean?

Torch's own modules are put in eval mode and torch's dropout functions pass everything on, so that what is still random
in train mode is the user's. The first tensor that differs between two passes is compared with the same one in eval
mode: under a mask each value is 0 or one constant times what it is there.
Covers: masks whose result enters or leaves a module. Does not cover: masks inside a residual branch before the sum, and
those behind another source of chance.
"""

import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from diagnoser.evidence.preflight import HandMask
from diagnoser.training.probes.bench import UnanswerableError, fresh, tensors_in
from diagnoser.training.probes.functions import plain_name
from diagnoser.training.probes.kinds import BATCH_NORMS, owns_parameters
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload

ROWS = 4
MASKS = 64  # the mean over so many is known well enough (CATALOGUE, dropout-not-rescaled)
FEWEST = 8  # whatever the time
SECONDS = 3.0
ROUNDING = 1e-5  # relative: kernels that add in another order each time are not random
CONSTANT = 1e-3  # relative: kept values are one constant times what they are in eval mode
NOTHING = 1e-3  # of the largest value: below it a ratio says nothing
OF_ALL_ROWS = 0.5  # have both kept and dropped units, else whole rows or tokens are dropped, which is another thing

Place = tuple[str, int, str]  # module, how often it was called before, "input" or "output"
ANSWER: Place = ("", 0, "output")


class _WithoutDropout(TorchFunctionMode):
    """Torch's dropout functions pass on what they are given."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = plain_name(func)
        if "dropout" in name and (args or "input" in kwargs):
            return args[0] if args else kwargs["input"]
        if name == "scaled_dot_product_attention" and "dropout_p" in kwargs:
            kwargs = {**kwargs, "dropout_p": 0.0}
        return func(*args, **kwargs)


def find(workload: Workload, model: nn.Module, batch: Any) -> HandMask | None:
    """Look for a mask in a model of our own, whose modes are changed; None when nothing of the user's is random."""

    def seen(seed: int, *, train: bool = True, only: Place | None = None) -> dict[Place, Tensor]:
        return _pass(workload, model, batch, seed=seed, train=train, only=only)

    if _same(seen(1, only=ANSWER).get(ANSWER), seen(2, only=ANSWER).get(ANSWER)):
        return None
    once, other = seen(1), seen(2)
    place = next((place for place in once if not _same(once[place], other.get(place))), None)
    if place is None:
        return None
    calm, again = (seen(seed, train=False, only=place).get(place) for seed in (1, 2))
    if calm is None or again is None:
        raise UnanswerableError("the model takes another way in eval mode")
    if not _same(calm, again):
        raise UnanswerableError("what is random in train mode is random in eval mode too")
    modules = dict(model.named_modules())
    passed = itertools.takewhile(lambda one: one != place, once)
    if not any(end == "output" and owns_parameters(modules[path]) for path, _, end in passed):
        return None  # noise on the inputs, raw or scaled: augmentation, denoising
    deadline = time.perf_counter() + SECONDS
    drawn: list[Tensor] = []
    while len(drawn) < MASKS and (len(drawn) < FEWEST or time.perf_counter() < deadline):
        one = seen(len(drawn) + 1, only=place).get(place)
        if one is None or one.shape != calm.shape:
            raise UnanswerableError("the model takes another way in train mode")
        drawn.append(one)
    return _judge(place, calm, torch.stack(drawn))


def _judge(place: Place, calm: Tensor, drawn: Tensor) -> HandMask | None:
    """Tell a mask from other noise; `drawn` is (masks, ...) of what is `calm` in eval mode."""
    told = calm.abs() > NOTHING * calm.abs().max()
    if calm.ndim < 2 or not told.any():
        return None
    dropped = (drawn == 0) & told
    kept = (drawn != 0) & told
    if not kept.any() or not dropped.any():
        return None
    ratios = (drawn / calm.where(told, torch.ones(())))[kept]
    scale = ratios.median().item()
    if scale <= 0 or (ratios - scale).abs().max().item() > CONSTANT * scale:
        return None
    axis = 2 if calm.ndim >= 4 else -1  # of `drawn`: channels of maps, else the last one
    mixed = dropped.any(dim=axis) & kept.any(dim=axis)
    if mixed.float().mean().item() < OF_ALL_ROWS:
        return None
    share = kept.sum().item() / (kept.sum() + dropped.sum()).item()
    units = len(drawn) * drawn.shape[axis]  # at least so many were drawn independently: a mask may serve all rows
    path, _, end = place
    return HandMask(
        where=f"the {end} of {path}" if path else f"the {end} of the model",
        kept_share=share,
        scale=scale,
        mean_ratio=share * scale,
        standard_error=scale * math.sqrt(share * (1 - share) / units),
        masks=len(drawn),
    )


class _Passage:
    """What each module takes and gives in one pass, in order: its first real tensor, or its sums for all of them."""

    def __init__(self, only: Place | None) -> None:
        self.kept: dict[Place, Tensor] = {}
        self._calls: dict[str, int] = {}
        self._only = only

    def watch(self, path: str, module: nn.Module) -> list[RemovableHandle]:
        def before(_: nn.Module, args: Any, kwargs: Any) -> None:
            self._calls[path] = self._calls.get(path, -1) + 1
            self._note(path, "input", (args, kwargs))

        def after(_: nn.Module, __: Any, output: Any) -> None:
            self._note(path, "output", output)

        return [
            module.register_forward_pre_hook(before, with_kwargs=True),
            module.register_forward_hook(after),
        ]

    def _note(self, path: str, end: str, values: Any) -> None:
        place = (path, self._calls[path], end)
        found = next((tensor for tensor in tensors_in(values) if tensor.is_floating_point()), None)
        if found is None:
            return
        value = found.detach().float()
        if self._only is None:
            self.kept[place] = torch.stack([value.sum(), value.abs().sum()])
        elif place == self._only:
            self.kept[place] = value.clone()


def _pass(
    workload: Workload, model: nn.Module, batch: Any, *, seed: int, train: bool, only: Place | None = None
) -> dict[Place, Tensor]:
    """Run the model once, the user's own modules in train mode or not, torch's in eval mode."""
    model.eval()
    for module in model.modules():
        if not type(module).__module__.startswith("torch.") and not isinstance(module, BATCH_NORMS):
            module.training = train
    passage = _Passage(only)
    handles = [
        handle
        for path, module in model.named_modules()
        if not isinstance(module, torch.jit.ScriptModule)  # they refuse hooks
        for handle in passage.watch(path, module)
    ]
    try:
        with torch.no_grad(), forked(seed), _WithoutDropout():
            if workload.output(model, fresh(batch)) is None:
                raise UnanswerableError("only the step knows how the model is called")
    finally:
        for handle in handles:
            handle.remove()
    return passage.kept


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.shape != other.shape or not one.numel():
        return one.shape == other.shape
    one, other = one.nan_to_num(), other.nan_to_num()
    return bool((one - other).abs().max() <= ROUNDING * one.abs().max())
