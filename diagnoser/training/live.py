"""What does a notebook hand over: the same things as a spec, as Python objects instead of import paths."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class LiveObjects:
    """Objects of the caller's own process; what is None is resolved from the spec."""

    model_fn: Any = None  # () -> nn.Module; or a module, which is copied
    data: Any = None  # () -> (train, validation), or that pair itself
    loss: Any = None  # (output, target) -> scalar; a class is built first
    optimizer: Callable[..., Any] | None = None  # (model, lr, weight_decay) -> Optimizer
    step: Callable[[Any, Any], Any] | None = None
    loop: Callable[..., Any] | None = None
    evaluate: Callable[[Any, Any], Any] | None = None
    metric: Callable[[Any, Any], float] | None = None
