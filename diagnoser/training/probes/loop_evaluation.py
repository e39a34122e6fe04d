"""What does the user's `evaluate` really do: to the model, and against the same figures measured by us?"""

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from diagnoser.training.batches import length
from diagnoser.training.evaluation import evaluate as evaluate_ours
from diagnoser.training.listening import EvaluationSeen, GivenBatches, watching_evaluation
from diagnoser.training.metrics import Kept
from diagnoser.training.workload import Workload

SAME_VALUE = 1e-6  # relative; two evaluations of one model differ by this much through the order of a sum

Facts = dict[str, Any]


def evaluation(workload: Workload, model: nn.Module, evaluate: Callable[..., Any], *, seconds: float) -> Facts:
    given, whole = _validation_batches(workload, model, seconds)
    rows = sum(length(batch) for batch in given)

    def call(on: nn.Module, seen: EvaluationSeen) -> dict[str, float]:
        def drawn(index: int, _: Any) -> None:
            seen.drawn.append(index)

        batches = GivenBatches(given, rows=rows, batch_size=workload.validation.batch_size, drawn=drawn)
        with watching_evaluation(on, seen):
            return named_numbers(evaluate(on, batches))

    seen = EvaluationSeen()
    before = {name: value.detach().clone() for name, value in model.state_dict().items()}
    first = call(model, seen)
    changed = any(not _equal(before[name], value) for name, value in model.state_dict().items() if name in before)
    model.load_state_dict(before)  # both evaluations see one model
    second = call(model, EvaluationSeen())
    differ = not _agree(first, second)
    ours, means = _our_metrics(workload, model, given, first, whole=whole)
    facts: Facts = {
        "modules_training_while_evaluating": tuple(sorted(seen.modules_in_train)),
        "dropout_switched_on_alone": bool(seen.modules_in_train) and seen.only_dropout_in_train,
        "evaluate_changes_state": changed,
        "evaluations_differ": differ,
        "gradients_enabled_in_evaluate": seen.gradients_enabled,
        "user_metrics": first,
        "our_metrics": ours,
        "batch_mean_metrics": means,
        "evaluate_batches_given": len(given),
        "evaluate_batches_drawn": len(set(seen.drawn)),
    }
    if differ:
        with _held_in_eval(model):
            facts["evaluations_agree_in_eval"] = _agree(call(model, EvaluationSeen()), call(model, EvaluationSeen()))
    return facts


def _validation_batches(workload: Workload, model: nn.Module, seconds: float) -> tuple[list[Any], bool]:
    """Take all of validation, or as many batches as can be evaluated four times in the time given."""
    taken: list[Any] = []
    started = time.perf_counter()
    for batch in workload.validation.batches(seed=0, epoch=0):
        if len(taken) > 1 and (time.perf_counter() - started) > seconds / 4:
            return taken, False
        taken.append(workload.to_device(batch))
        with torch.no_grad(), _held_in_eval(model):
            workload.loss(model, taken[-1])
    return taken, True


def named_numbers(answer: Any) -> dict[str, float]:
    """Read what `evaluate` returned; a bare number has no name to compare by and is called "value"."""
    named = answer if isinstance(answer, Mapping) else {"value": answer}
    return {str(name): float(value) for name, value in named.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() == 1
    return isinstance(value, int | float) or (hasattr(value, "item") and getattr(value, "size", 0) == 1)


def _our_metrics(
    workload: Workload, model: nn.Module, given: Sequence[Any], theirs: Mapping[str, float], *, whole: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """Measure the same names ourselves: over all rows, and as the plain mean over the batches that were given."""
    metric, layout = workload.metric_function, workload.layout
    kept: list[Kept] = []
    losses: list[tuple[float, int]] = []
    with torch.no_grad(), _held_in_eval(model):
        for batch in given:
            losses.append((float(workload.loss(model, batch)), length(batch)))
            output = workload.output(model, batch)
            target = None if layout is None else layout.target(batch)
            if output is not None and target is not None and not metric.of_the_loss:
                kept.append(metric.keep(output, target))
    values = {"loss": (_weighted(losses), _mean([loss for loss, _ in losses]))}
    if kept and len(kept) == len(given):
        values[metric.name] = (metric.score(kept), _mean([metric.score([batch]) for batch in kept]))
    if whole:  # a loader that drops its last batch gives fewer rows than there are
        scores = evaluate_ours(workload, model, workload.validation)
        values["loss"] = (scores.loss, values["loss"][1])
        if metric.name in values:
            values[metric.name] = (scores.metric, values[metric.name][1])
    ours, means = {}, {}
    for name, value in theirs.items():
        if (known := _plain(name)) in values:
            scale = 100.0 if known in _SHARES and abs(value) > 1 else 1.0  # told in per cent
            ours[name], means[name] = (scale * v for v in values[known])
    return ours, means


_SHARES = {"accuracy", "balanced_accuracy", "f1"}
_PREFIXES = ("val_", "valid_", "validation_", "eval_", "test_")
_SHORT = {"acc": "accuracy", "bacc": "balanced_accuracy", "ppl": "perplexity"}


def _plain(name: str) -> str:
    plain = name.lower().replace("/", "_").replace(" ", "_").replace("-", "_")
    for prefix in _PREFIXES:
        plain = plain.removeprefix(prefix)
    return _SHORT.get(plain, plain)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _weighted(losses: Sequence[tuple[float, int]]) -> float:
    rows = sum(n for _, n in losses)
    return sum(loss * n for loss, n in losses) / rows if rows else float("nan")


def _agree(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    return a.keys() == b.keys() and all(_same(value, b[name]) for name, value in a.items())


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=SAME_VALUE) or (math.isnan(a) and math.isnan(b))


def _equal(a: Tensor, b: Tensor) -> bool:
    if a.is_floating_point():
        a, b = a.nan_to_num(), b.nan_to_num()
    return bool(torch.equal(a, b))


@contextmanager
def _held_in_eval(model: nn.Module) -> Iterator[None]:
    """Put all modules in eval mode and keep them there, whatever is called; give the modes back."""
    modes = {module: module.training for module in model.modules()}
    for module in modes:
        module.training = False
        vars(module)["train"] = functools.partial(_unmoved, module)
    try:
        yield
    finally:
        for module, mode in modes.items():
            vars(module).pop("train", None)
            module.training = mode


def _unmoved(module: nn.Module, _mode: bool = True) -> nn.Module:  # noqa: FBT001, FBT002  # the signature of Module.train
    return module
