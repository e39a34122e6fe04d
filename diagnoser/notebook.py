"""How is a model diagnosed from a notebook or a script? With live objects, in the caller's own process."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from diagnoser.errors import UserCodeError
from diagnoser.findings import Diagnosis
from diagnoser.local import Job
from diagnoser.local import diagnose as walk
from diagnoser.protocol.events import Event
from diagnoser.spec.fields import SpecSource, TrainingSpec
from diagnoser.spec.reading import from_mapping

if TYPE_CHECKING:
    from torch import nn

CALL = "diagnoser.diagnose(...)"
"""Stands in messages and in the report where a file's name would."""

LIVE = "notebook:live_object"
"""Stands in the spec where a file would have an import path."""


def diagnose(
    model_fn: "Callable[[], nn.Module] | nn.Module",
    data: Any,
    *,
    loss: Callable[[Any, Any], Any] | str | None = None,
    optimizer: Callable[..., Any] | Mapping[str, Any] | str | None = None,
    step: Callable[[Any, Any], Any] | None = None,
    loop: Callable[..., Any] | None = None,
    evaluate: Callable[[Any, Any], Mapping[str, float]] | None = None,
    metric: Callable[[Any, Any], float] | str | None = None,
    preset: Literal["quick", "standard", "thorough"] = "standard",
    budget_minutes: float = 10.0,
    stack: bool = True,
    progress: bool = True,
    **spec: Any,
) -> Diagnosis:
    """Diagnose live objects and return the diagnosis; a notebook shows it as a report.

    `model_fn` is called afresh for every trial; a module is copied, and then only one initialisation is seen. `data` is
    `(train, validation)` or a function that returns it; `optimizer` a name, a class, a spec's section, or
    `(model, lr, weight_decay) -> Optimizer`. Every other key of a spec can be given by its name (`epochs=20`,
    `scheduler={"name": "cosine"}`, `batch_size=64`). `stack=False` trains one trial after the other. The caller's
    random states, default device and dtype, and thread count are as they were afterwards.

    Raises SpecError for a key or value that no spec may have, UserCodeError when no model or batch can be built.
    """
    from diagnoser.training.in_process import InProcessExecutor
    from diagnoser.training.live import LiveObjects
    from diagnoser.training.randomness import restored
    from diagnoser.training.workload import load

    started = time.monotonic()
    if isinstance(optimizer, type):
        optimizer = _of_class(optimizer)
    live: dict[str, Any] = {
        "loss": loss,
        "optimizer": optimizer,
        "step": step,
        "loop": loop,
        "evaluate": evaluate,
        "metric": metric,
    }
    parsed, source = _spec(live, preset=preset, budget_minutes=budget_minutes, given=spec)
    objects = LiveObjects(
        model_fn=model_fn, data=data, **{name: value for name, value in live.items() if callable(value)}
    )
    try:
        with restored():
            executor = InProcessExecutor(load(parsed, folder=Path.cwd(), objects=objects), stacking=stack)
        job = Job(spec=parsed, source=source, command=CALL, sandbox="notebook")
        return walk(job, executor, kind="notebook", started=started, on_event=_print_step if progress else _say_nothing)
    except UserCodeError as error:
        words = str(error).replace(LIVE, "what you passed")
        raise UserCodeError(words, remote_traceback=error.remote_traceback) from error.__cause__


def _of_class(optimizer: type) -> Callable[..., Any] | str:
    """An optimizer's class, as people pass it: its name where torch has it, else a factory."""
    if optimizer.__module__.partition(".")[0] == "torch":
        return optimizer.__name__.lower()

    def factory(model: "nn.Module", lr: float, weight_decay: float) -> Any:
        decay = {"weight_decay": weight_decay} if weight_decay else {}  # not every optimizer has one
        return optimizer(model.parameters(), lr=lr, **decay)

    return factory


def _spec(
    live: Mapping[str, Any], *, preset: str, budget_minutes: float, given: Mapping[str, Any]
) -> tuple[TrainingSpec, SpecSource]:
    """What the objects and keywords say, as a spec; a callable stands there as a name for itself."""
    document: dict[str, Any] = {"name": "notebook", "model": LIVE, **given}
    document["data"] = {"factory": LIVE, **document.pop("data_options", {})}
    for key in ("batch_size", "shuffle", "workers"):
        if key in document:
            document["data"][key] = document.pop(key)
    for key, value in live.items():
        if value is None:
            continue
        if key == "optimizer" and callable(value):
            document[key] = {"factory": LIVE, "lr": document.pop("lr", 1e-3)}
        elif key == "metric" and callable(value):
            document[key] = {"factory": LIVE, "higher_is_better": document.pop("higher_is_better", True)}
        else:
            document[key] = LIVE if callable(value) else value
    if "lr" in document:
        own = document.setdefault("optimizer", {"name": "adam"})
        document["optimizer"] = {**({"name": own} if isinstance(own, str) else own), "lr": document.pop("lr")}
    document["protocol"] = {"preset": preset, **document.get("protocol", {})}
    document["budget"] = {"minutes": budget_minutes}
    names = {"model", "data"} | {key for key, value in live.items() if callable(value)}
    return from_mapping(document, file=CALL, live=names)


def _print_step(event: Event) -> None:
    """One line per step, on stderr."""
    if event.kind == "step_ended":
        sys.stderr.write(f"{event.step.replace('_', ' ')}: {event.words} ({event.seconds_used:.0f} s)\n")


def _say_nothing(_event: Event) -> None:
    """The caller asked for silence."""
