"""What in a batch is input and what is target, and how is the model called with it?"""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diagnoser.errors import UserCodeError
from diagnoser.spec.fields import TrainingSpec
from diagnoser.training.advice import TARGET_KEYS, advice, real
from diagnoser.training.batches import Batch, Path, described, get, leaves, map_tensors, put, tensors, to_device
from diagnoser.training.failures import USER_STOPS, is_out_of_memory, user_code_error, users_traceback
from diagnoser.training.randomness import forked

_INPUT_KEYS = ("x", "input", "inputs", "features", "image", "images", "pixel_values", "input_ids", "data")
_OUTPUT_KEYS = ("logits", "output", "outputs", "prediction", "predictions", "out")

Style = Literal["one", "several", "unpacked", "keywords"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a batch is to be understood."""

    describe: str  # "(input, target)"
    inputs_at: tuple[Path, ...]  # one path per input
    target_at: Path | None  # None: there is none, or it is the input itself
    style: Style = "one"  # model(x); model(x0, x1); model(*x); model(**x)
    names: tuple[str, ...] = ()  # style "keywords" of several inputs: their names
    target_is_input: bool = False  # an autoencoder
    callable: bool = True  # False: only the user's `step` knows how the model is called
    own_loss: bool = False  # the model answers with its loss

    def inputs(self, batch: Batch) -> Any:
        """Return what the model is called with: one object, or a tuple or dict of several."""
        parts = [get(batch, path) for path in self.inputs_at]
        if self.names:
            return dict(zip(self.names, parts, strict=True))
        return parts[0] if len(parts) == 1 else tuple(parts)

    def first_input(self, batch: Batch) -> Tensor:
        """Return the first tensor among the inputs."""
        return next(leaf for path in self.inputs_at for leaf in leaves(get(batch, path)) if isinstance(leaf, Tensor))

    def target_object(self, batch: Batch) -> Any:
        """Return the target as the user's loss gets it: a tensor, or whatever else it is."""
        if self.target_at is None:
            return get(batch, self.inputs_at[0]) if self.target_is_input else None
        return get(batch, self.target_at)

    def target(self, batch: Batch) -> Tensor | None:
        """Return the target; None when there is none, or when it is no single tensor."""
        target = self.target_object(batch)
        return target if isinstance(target, Tensor) else None

    def with_target(self, batch: Batch, target: Any) -> Batch:
        """Return the batch with another target."""
        if self.target_at is None:
            raise ValueError("this batch has no target of its own")
        return put(batch, self.target_at, target)

    def map_inputs(self, batch: Batch, fn: Callable[[Tensor], Any]) -> Batch:
        """Return the batch with a function applied to each input tensor."""
        for path in self.inputs_at:
            batch = put(batch, path, map_tensors(fn, get(batch, path)))
        return batch

    def call(self, model: nn.Module, batch: Batch) -> Any:
        """Call the model with the inputs of a batch."""
        match self.style:
            case "one":
                return model(get(batch, self.inputs_at[0]))
            case "several":
                return model(*[get(batch, path) for path in self.inputs_at])
            case "unpacked":
                return model(*get(batch, self.inputs_at[0]))
            case "keywords":
                given = self.inputs(batch)
                if self.own_loss and self.target_at is not None:
                    given = {**given, self.target_at[-1]: get(batch, self.target_at)}
                return model(**given)

    def output(self, answer: Any) -> Tensor | None:
        """Return the main tensor of what the model answered."""
        return main_tensor(answer)


def main_tensor(answer: Any) -> Tensor | None:
    """Find the tensor that is meant in an answer: itself, `.logits`, a known key, or the first one."""
    if isinstance(answer, Tensor):
        return answer
    for key in _OUTPUT_KEYS:
        found = answer.get(key) if isinstance(answer, Mapping) else getattr(answer, key, None)
        if isinstance(found, Tensor):
            return found
    found_tensors = [tensor for tensor in tensors(answer) if tensor.ndim]
    return found_tensors[0] if found_tensors else None


def own_loss(answer: Any) -> Tensor | None:
    """Return the loss that a model answers with, if it does."""
    found = answer.get("loss") if isinstance(answer, Mapping) else getattr(answer, "loss", None)
    return found if isinstance(found, Tensor) and found.numel() == 1 else None


def infer_layout(spec: TrainingSpec, model: nn.Module, batch: Batch) -> Layout:
    """Try the likely readings of a batch, the likeliest first, and return the first with which the model runs.

    Raises UserCodeError with the real structure of the batch and a `step` to paste. With a `step` of the user's, a
    layout whose `callable` is False is returned where only the step knows how the model is called.
    """
    candidates = list(_candidates(model, batch))
    first_error: BaseException | None = None
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    for candidate in candidates:
        try:
            answer = _try(candidate, model, to_device(batch, device))
        except USER_STOPS as error:
            if is_out_of_memory(error):
                raise
            first_error = first_error or error
            continue
        if candidate.own_loss and own_loss(answer) is None:
            candidate = replace(candidate, own_loss=False)
        if main_tensor(answer) is None and spec.step is None:
            raise UserCodeError(f"model: forward returned no tensor, but {described(answer)}. {advice(batch)}")
        return _settled(candidate, answer, batch, spec)
    if spec.step is not None and candidates:
        return replace(candidates[0], callable=False)
    if first_error is None:
        raise UserCodeError(f"The batch holds no tensor that could be the model's input. {advice(batch)}")
    if candidates and _fits(candidates[0], model):
        told = user_code_error(f"The model failed on the first batch, read as {candidates[0].describe}", first_error)
        a_pair = isinstance(batch, list | tuple) and len(batch) == 2 and all(isinstance(p, Tensor) for p in batch)
        shown = real(batch) if a_pair else advice(batch)  # only a pair leaves nothing to explain
        raise UserCodeError(f"{told}\n{shown}", remote_traceback=told.remote_traceback) from first_error
    raise UserCodeError(
        f"The model could not be called with the batch ({type(first_error).__name__}: {first_error}). {advice(batch)}",
        remote_traceback=users_traceback(first_error),
    )


def _settled(layout: Layout, answer: Any, batch: Batch, spec: TrainingSpec) -> Layout:
    """Decide what a batch without a target is compared with."""
    if layout.target_at is not None or layout.own_loss or spec.step is not None:
        return layout
    output, given = main_tensor(answer), layout.first_input(batch)
    if output is not None and output.shape == given.shape and given.is_floating_point():
        return replace(layout, target_is_input=True, describe=f"{layout.describe}, compared with itself")
    raise UserCodeError(
        f"The batch has no target, and the model's output has another shape than its input. {advice(batch)}"
    )


def _try(layout: Layout, model: nn.Module, batch: Batch) -> Any:
    """Run the model once, its modes, buffers and the random state as before."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad(), forked(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return layout.call(model, batch)
    finally:
        for module, mode in modes.items():
            module.training = mode


def _candidates(model: nn.Module, batch: Batch) -> Iterator[Layout]:
    names, takes_any = _parameters(model)
    if isinstance(batch, Tensor):
        yield Layout(describe="input", inputs_at=((),), target_at=None)
    elif isinstance(batch, Mapping):
        yield from _from_mapping(batch, names, takes_any=takes_any)
    elif isinstance(batch, list | tuple) and batch:
        yield from _from_sequence(batch, names)


def _from_sequence(batch: Any, names: tuple[str, ...]) -> Iterator[Layout]:
    count = len(batch)
    if count == 1:
        if isinstance(batch[0], Mapping):
            yield from _below(0, batch[0], names)
        elif tensors(batch[0]):
            yield Layout(describe="(input,)", inputs_at=((0,),), target_at=None)
        return
    last: Path = (count - 1,)
    if not tensors(batch[0]):
        return
    if count == 2:
        yield from _pair(batch, names)
        return
    several = tuple((i,) for i in range(count - 1))
    parts = ", ".join(f"input {i}" for i in range(count - 1))
    all_inputs = Layout(describe=f"({parts}, target)", inputs_at=several, target_at=last, style="several")
    rest = ", ".join("unused" for _ in range(count - 2))
    first = Layout(describe=f"(input, {rest}, target)", inputs_at=((0,),), target_at=last)
    second = Layout(
        describe=f"(input, target, {', '.join('unused' for _ in range(count - 2))})", inputs_at=((0,),), target_at=(1,)
    )
    many = len(names) >= count - 1
    yield from (all_inputs, first) if many else (first if isinstance(batch[-1], Tensor) else second, all_inputs)


def _pair(batch: Any, names: tuple[str, ...]) -> Iterator[Layout]:
    given = batch[0]
    if isinstance(given, Mapping):
        whole = Layout(describe="(dict of inputs, target)", inputs_at=((0,),), target_at=(1,), style="keywords")
        matched = tuple(key for key in given if key in names)
        if matched and len(matched) == len(given):
            yield _keywords(matched, prefix=(0,), target_at=(1,), describe=f"({_named(matched)}, target)")
        yield replace(whole, style="one")
        if matched:
            yield _keywords(matched, prefix=(0,), target_at=(1,), describe=f"({_named(matched)}, target)")
    elif isinstance(given, list | tuple):
        one = Layout(describe="(inputs, target)", inputs_at=((0,),), target_at=(1,))
        unpacked = replace(
            one, style="unpacked", describe=f"(({', '.join(f'input {i}' for i in range(len(given)))}), target)"
        )
        yield from (unpacked, one) if len(names) >= len(given) > 1 else (one, unpacked)
    else:
        yield Layout(describe="(input, target)", inputs_at=((0,),), target_at=(1,))


def _below(index: int, batch: Any, names: tuple[str, ...]) -> Iterator[Layout]:
    for layout in _from_mapping(batch, names, takes_any=False):
        deeper = tuple((index, *path) for path in layout.inputs_at)
        target = None if layout.target_at is None else (index, *layout.target_at)
        yield replace(layout, inputs_at=deeper, target_at=target, describe=f"({layout.describe},)")


def _from_mapping(batch: Any, names: tuple[str, ...], *, takes_any: bool) -> Iterator[Layout]:
    target = next((key for key in TARGET_KEYS if key in batch), None)
    numeric = [key for key, item in batch.items() if key != target and tensors(item)]
    target_at: Path | None = None if target is None else (target,)
    behind = "" if target is None else f", target {target!r}"
    matched = tuple(key for key in numeric if key in names) or (tuple(numeric) if takes_any else ())
    if matched:
        layout = _keywords(matched, prefix=(), target_at=target_at, describe=f"dict: inputs {_named(matched)}{behind}")
        if target is not None and target in names:
            yield replace(layout, own_loss=True)
        yield layout
    likely = [key for key in _INPUT_KEYS if key in numeric]
    for key in dict.fromkeys([*likely, *numeric]):
        yield Layout(describe=f"dict: input {key!r}{behind}", inputs_at=((key,),), target_at=target_at)
    if len(numeric) > 1:
        several = tuple((key,) for key in numeric)
        yield Layout(
            describe=f"dict: inputs {_named(tuple(numeric))}{behind}",
            inputs_at=several,
            target_at=target_at,
            style="several",
        )


def _keywords(names: tuple[str, ...], *, prefix: Path, target_at: Path | None, describe: str) -> Layout:
    paths = tuple((*prefix, name) for name in names)
    return Layout(describe=describe, inputs_at=paths, target_at=target_at, style="keywords", names=names)


def _parameters(model: nn.Module) -> tuple[tuple[str, ...], bool]:
    """Name the parameters of forward that a batch may fill, and tell whether it takes any keyword."""
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return (), False
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return ("*",) * 100, False
    names = tuple(p.name for p in parameters if p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL})
    return names, any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _fits(layout: Layout, model: nn.Module) -> bool:
    """Tell whether forward takes as many inputs as this reading gives it."""
    try:
        signature = inspect.signature(model.forward)
        count = 1 if layout.style in {"one", "unpacked"} else len(layout.inputs_at)
        signature.bind(*(None,) * count) if not layout.names else signature.bind(**dict.fromkeys(layout.names))
    except (TypeError, ValueError):
        return False
    return True


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)
