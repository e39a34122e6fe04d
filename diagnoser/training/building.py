"""How is the user's model built: their factory under a seed, or a copy of their module?"""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from diagnoser.errors import UserCodeError
from diagnoser.spec.fields import TrainingSpec
from diagnoser.training.batches import Batch
from diagnoser.training.failures import USER_STOPS, user_code_error
from diagnoser.training.layout import Layout
from diagnoser.training.live import LiveObjects
from diagnoser.training.randomness import forked, seed_everything
from diagnoser.training.resolve import bound, import_attribute


class Answers(nn.Module):
    """Answers with a given tensor, whatever it is asked: makes a step of the user's a function of the output."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_: Any, **__: Any) -> Tensor:
        """Return the answer."""
        return self.answer


def build_model(
    spec: TrainingSpec,
    *,
    folder: Path,
    objects: LiveObjects,
    seed: int,
    device: torch.device,
    layout: Layout | None,
    batch: Callable[[], Batch],
) -> nn.Module:
    """Call the user's factory under a seed. Raises UserCodeError when it fails or returns no module."""
    factory = objects.model_fn if objects.model_fn is not None else import_attribute(spec.model.factory, folder=folder)
    seed_everything(seed)
    try:
        made = copy.deepcopy(factory) if isinstance(factory, nn.Module) else factory(**spec.model.args)
    except USER_STOPS as error:
        raise user_code_error(f"model: {spec.model.factory} failed", error) from error
    if not isinstance(made, nn.Module):
        raise UserCodeError(
            f"model: {spec.model.factory} must return a torch.nn.Module; it returned {type(made).__name__}"
        )
    if layout is not None and layout.callable and _is_lazy(made):
        with torch.no_grad(), forked(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says that lazy modules are new
            layout.call(made, batch())
    model = made.to(device)
    if any(type(module).train is not nn.Module.train for module in model.modules()):
        model.train(model.training)  # a `train` of their own (frozen norms) acts when it is called, as loops do
    return model


def _is_lazy(model: nn.Module) -> bool:
    found = (*model.parameters(), *model.buffers())
    return any(isinstance(tensor, UninitializedParameter | UninitializedBuffer) for tensor in found)


def user_metric(
    spec: TrainingSpec, *, folder: Path, objects: LiveObjects
) -> tuple[str, Callable[..., Any], bool] | None:
    """Return the user's own metric: its name, the function, and whether more is better."""
    if objects.metric is not None:
        higher = spec.metric.higher_is_better if spec.metric is not None else True
        return getattr(objects.metric, "__name__", "metric"), objects.metric, higher
    if spec.metric is None or spec.metric.factory is None:
        return None
    found = import_attribute(spec.metric.factory, folder=folder)
    try:
        function = bound(found, spec.metric.args)
    except USER_STOPS as error:
        raise user_code_error(f"metric: {spec.metric.factory} could not be built", error) from error
    return spec.metric.factory.rpartition(":")[2], function, spec.metric.higher_is_better
