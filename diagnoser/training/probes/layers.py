"""How do signal and gradient pass through each layer of an untrained model? One profile per layer, in forward order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import LayerProfile
from diagnoser.training.failures import is_out_of_memory
from diagnoser.training.probes.bench import Questions, UnanswerableError, spread_rows
from diagnoser.training.probes.functions import Activation
from diagnoser.training.probes.kinds import ACTIVATION_MODULES, BATCH_NORMS, DROPOUTS, NORMS, is_layer
from diagnoser.training.probes.trace import Flow, Seen, Trace, Tracer
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload

DEAD_ROWS = 512  # a unit is called dead when it is silent on all of so many rows (CATALOGUE, dead-relu-units)

FEW_PASSES = 64  # rows at least of each of those passes: batches of two would be 256 of them
ENOUGH_ROWS = 64  # for norms, spreads and BatchNorm; larger batches cost time and say the same


@dataclass
class Pass:
    """One initialisation: a traced forward and backward pass over one training batch."""

    trace: Trace
    final: Flow | None = None  # how the main output was made
    target_shape: tuple[int, ...] | None = None
    loss_has_graph: bool | None = None  # None: no loss could be had
    failure: str | None = None  # why there is no loss
    gradient_norms: dict[str, float] = field(default_factory=dict)  # by path of the layer
    modes: dict[str, bool] = field(default_factory=dict)  # as the factory left them
    without_gradient: tuple[str, ...] = ()  # trainable parameters whose gradient is None


def watch(workload: Workload, model: nn.Module, *, seed: int) -> Pass:
    """Trace the first forward and backward pass of a fresh model, dropout modules off. Gradients are left cleared.

    Raises what the user's forward raises; what only the loss raises is kept as `failure`.
    """
    batch = spread_rows(workload, rows_at_once(workload))
    modes = {module: module.training for module in model.modules()}
    for module in modes:
        if isinstance(module, DROPOUTS):
            module.eval()
    try:
        seen = _forward_and_backward(workload, model, batch, seed=seed)
        seen.modes = {path: modes[module] for path, module in model.named_modules()}
    finally:
        for module, mode in modes.items():
            module.training = mode
        model.zero_grad(set_to_none=True)
    return seen


def _forward_and_backward(workload: Workload, model: nn.Module, batch: Any, *, seed: int) -> Pass:
    seen = Pass(Trace())
    loss: Tensor | None = None
    with forked(seed), Tracer(model, seen.trace):
        try:
            loss = workload.loss(model, batch)
        except Exception as error:
            if seen.trace.answer is None or is_out_of_memory(error):
                raise  # the forward itself
            seen.failure = f"{type(error).__name__}: {error}"
    if workload.layout is not None and seen.trace.answer is not None:
        seen.final = seen.trace.flow(workload.layout.output(seen.trace.answer))
        target = workload.layout.target(batch)
        seen.target_shape = None if target is None else tuple(target.shape)
    if loss is not None:
        seen.loss_has_graph = loss.requires_grad
        if loss.requires_grad:
            loss.backward()
            _keep_gradients(model, seen)
    return seen


def _keep_gradients(model: nn.Module, seen: Pass) -> None:
    missing = []
    for path, module in model.named_modules():
        own = [(name, weight) for name, weight in module.named_parameters(recurse=False) if weight.requires_grad]
        given = [weight.grad.float().norm() for _, weight in own if weight.grad is not None]
        if given:
            seen.gradient_norms[path] = torch.stack(given).norm().item()
        missing += [f"{path}.{name}" if path else name for name, weight in own if weight.grad is None]
    seen.without_gradient = tuple(missing)


def look_at_more_rows(workload: Workload, model: nn.Module, seen: Pass, questions: Questions) -> None:
    """Widen what is known of silent units to some 512 rows, a batch at a time, in the mode in which they were seen."""
    silent = any(layer.highest is not None for layer in seen.trace.layers.values())
    chosen = torch.randperm(workload.train.rows, generator=torch.Generator().manual_seed(1))[:DEAD_ROWS]
    if not silent or len(chosen) <= rows_at_once(workload):
        return
    for path, module in model.named_modules():
        module.training = seen.modes.get(path, True) and not isinstance(module, DROPOUTS)
    for numbers in chosen.split(max(rows_at_once(workload), FEW_PASSES)):
        if questions.time_is_up:
            raise UnanswerableError("no time was left for all 512 rows")
        if len(numbers) < 2:  # BatchNorm refuses one row
            return
        batch = workload.to_device(workload.train.take(numbers))
        with forked(0), torch.no_grad(), Tracer(model, seen.trace):
            if workload.output(model, batch) is None:
                return


def rows_at_once(workload: Workload) -> int:
    """Give the rows of one look: the user's batch, as far as a look needs one."""
    return max(2, min(workload.train.batch_size, ENOUGH_ROWS))


def profiles(
    workload: Workload, model: nn.Module, passes: list[Pass], similarity: Mapping[str, float]
) -> tuple[LayerProfile, ...]:
    """Put the layers in forward order, numbers as medians over the initialisations; modules never called come last."""
    first = passes[0].trace
    paths = list(first.layers) + [
        path for path, module in model.named_modules() if is_layer(module) and path not in first.layers
    ]
    modules = dict(model.named_modules())
    return tuple(_profile(workload, path, modules[path], passes, similarity.get(path)) for path in paths)


def is_hidden(path: str, seen: Pass) -> bool:
    """Tell whether something other than a change of shape, or the last activation, follows on the way to the output."""
    if seen.final is not None:
        return path != seen.final.module and path not in seen.final.sources | seen.final.last
    layers = seen.trace.weight_layers
    return not layers or path != layers[-1]


def _profile(
    workload: Workload, path: str, module: nn.Module, passes: list[Pass], similarity: float | None
) -> LayerProfile:
    seen = [one.trace.layers[path] for one in passes if path in one.trace.layers]
    own = [weight for _, weight in module.named_parameters(recurse=False)]
    weights = [weight for weight in own if weight.ndim >= 2] or own
    activation = _activation(path, module, passes[0], seen[0] if seen else None)
    batch_norm = isinstance(module, BATCH_NORMS)
    per_row = [one.values_per_channel / one.rows for one in seen if one.values_per_channel is not None and one.rows]
    return LayerProfile(
        path=path,
        type=type(module).__name__,
        parameters=sum(weight.numel() for weight in own),
        in_channels=getattr(module, "in_channels", getattr(module, "in_features", None)),
        frozen_parameters=sum(weight.numel() for weight in own if not weight.requires_grad),
        output_std=_middle([one.output_std for one in seen]),
        input_std=_middle([one.input_std for one in seen]),
        gradient_norm=_middle([one.gradient_norms.get(path) for one in passes]),
        weight_norm=torch.stack([weight.detach().float().norm() for weight in weights]).norm().item()
        if weights
        else None,
        activation=activation,
        dead_share=_middle([one.dead_share for one in seen]),
        saturated_share=_middle([one.saturated_share for one in seen]),
        hidden=is_hidden(path, passes[0]),
        unit_gradient_similarity=similarity,
        eps=_number(module, "eps") if isinstance(module, NORMS) else None,
        momentum=_number(module, "momentum") if batch_norm else None,
        values_per_channel=round(per_row[0] * workload.train.batch_size) if per_row else None,
        dropout=_dropout(module),
        training_mode=passes[0].modes.get(path, True),
        bias_feeds_norm=bool(seen and seen[0].bias_feeds_norm),
        norm_momentum_tracks=bool(module.track_running_stats) if batch_norm else True,
    )


def _activation(path: str, module: nn.Module, one: Pass, seen: Seen | None) -> Activation:
    if isinstance(module, ACTIVATION_MODULES):
        return seen.activation if seen is not None and seen.activation != "none" else "other"
    if path not in one.trace.weight_layers or seen is None:
        return "none"
    return "other" if seen.activation == "none" and path in one.trace.softened else seen.activation


def _dropout(module: nn.Module) -> float | None:
    return _number(module, "p") if isinstance(module, DROPOUTS) else _number(module, "dropout") or None


def _number(module: nn.Module, name: str) -> float | None:
    value = getattr(module, name, None)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _middle(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if known else None
