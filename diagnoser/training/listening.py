"""How is the user's function listened to, and what is it given as `batches`?

Everything that is replaced or hooked inside is put back at the end, whatever happens.
Covers: `torch.autograd.backward` and `grad`, `zero_grad` of model and optimizer, `step`, clipping by torch's two
functions (also where the user's module has imported them by name), `unscale_`, and every module's forward.
Does not cover: names that a third module of the user's imported; code that torch has compiled.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from diagnoser.training.batches import map_tensors
from diagnoser.training.loop_audit import Recorder, mode_dependent


class _Rows:
    """Stands where a loop looks for `len(batches.dataset)`."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return self._rows


class GivenBatches:
    """What the user's function is given as `batches`: it has a length, can be walked again, and tells what is drawn.

    Each draw is a copy, so that a loop that changes its batch in place changes no later one.
    """

    def __init__(
        self, batches: Sequence[Any], *, rows: int, batch_size: int, drawn: Callable[[int, Any], None] | None = None
    ) -> None:
        self._batches = batches
        self._drawn = drawn
        self.dataset = _Rows(rows)
        self.batch_size = batch_size

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        for index, batch in enumerate(self._batches):
            copy = map_tensors(Tensor.clone, batch)
            if self._drawn is not None:
                self._drawn(index, copy)
            yield copy


@contextmanager
def listening(recorder: Recorder, *functions: Callable[..., Any] | None) -> Iterator[None]:
    """Tell the recorder of what happens inside; everything is put back at the end.

    `functions` are the user's: a name that they imported from torch is replaced in their module too.
    """
    backward, grad = torch.autograd.backward, torch.autograd.grad
    zero_grad = nn.Module.zero_grad
    scaler = torch.amp.GradScaler

    def told_backward(tensors: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> None:
        roots = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        retained = bool(kwargs.get("retain_graph", args[0] if args else False))
        recorder.backward(roots, grad_tensors, retained=retained)
        backward(tensors, grad_tensors, *args, **kwargs)

    def told_grad(*args: Any, **kwargs: Any) -> Any:
        recorder.grad_by_hand()
        return grad(*args, **kwargs)

    def told_zero_grad(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        if module is recorder.model:
            recorder.noted("zero_grad")
        zero_grad(module, *args, **kwargs)

    def told(original: Callable[..., Any], event: str) -> Callable[..., Any]:
        def instead(*args: Any, **kwargs: Any) -> Any:
            recorder.noted(event)
            return original(*args, **kwargs)

        return instead

    clips = (torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_)
    replaced: list[tuple[Any, str, Any]] = [
        (torch.autograd, "backward", told_backward),
        (torch.autograd, "grad", told_grad),
        (nn.Module, "zero_grad", told_zero_grad),
        (scaler, "unscale_", told(scaler.unscale_, "unscale")),
        *((torch.nn.utils, clip.__name__, told(clip, "clip")) for clip in clips),
    ]
    known = {id(getattr(owner, name)): new for owner, name, new in replaced if not isinstance(owner, type)}
    for space in {id(s): s for f in functions if (s := getattr(f, "__globals__", None)) is not None}.values():
        replaced += [(space, name, known[id(value)]) for name, value in space.items() if id(value) in known]
    originals = [(owner, name, _get(owner, name)) for owner, name, _ in replaced]
    clear = recorder.optimizer.zero_grad
    handles = [
        recorder.optimizer.register_step_pre_hook(
            lambda _, args, kwargs: recorder.before_step(closure=_closure(args, kwargs))
        ),
        recorder.optimizer.register_step_post_hook(
            lambda _, args, kwargs: recorder.after_step(closure=_closure(args, kwargs))
        ),
        nn.modules.module.register_module_forward_pre_hook(recorder.forward),
    ]
    try:
        for owner, name, new in replaced:
            _set(owner, name, new)
        vars(recorder.optimizer)["zero_grad"] = told(clear, "zero_grad")
        yield
    finally:
        vars(recorder.optimizer).pop("zero_grad", None)
        for owner, name, original in originals:
            _set(owner, name, original)
        for handle in handles:
            handle.remove()


def _closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return (args[1] if len(args) > 1 else kwargs.get("closure")) is not None  # args[0] is the optimizer itself


def _get(owner: Any, name: str) -> Any:
    return owner[name] if isinstance(owner, dict) else getattr(owner, name)


def _set(owner: Any, name: str, value: Any) -> None:
    if isinstance(owner, dict):
        owner[name] = value
    else:
        setattr(owner, name, value)


@dataclass
class EvaluationSeen:
    """What one call of the user's `evaluate` showed."""

    drawn: list[int] = field(default_factory=list)
    modules_in_train: set[str] = field(default_factory=set)
    only_dropout_in_train: bool = True  # and each of them while the model itself was in eval mode
    gradients_enabled: bool | None = None


@contextmanager
def watching_evaluation(model: nn.Module, seen: EvaluationSeen) -> Iterator[None]:
    """Note the mode of modules as they run, and whether a graph is built."""
    inside, dependent = set(model.modules()), mode_dependent(model)

    def look(module: nn.Module, _: Any) -> None:
        if module not in inside:
            return
        seen.gradients_enabled = bool(seen.gradients_enabled) or torch.is_grad_enabled()
        if module in dependent and module.training:
            seen.modules_in_train.add(dependent[module])
            seen.only_dropout_in_train &= isinstance(module, _DropoutNd) and not model.training

    handle = nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield
    finally:
        handle.remove()
