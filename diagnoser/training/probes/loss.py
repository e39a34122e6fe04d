"""What does the loss take, and does it fall when answers get better? Asked of the loss itself, on one batch."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from diagnoser.evidence.preflight import LossProfile
from diagnoser.spec.fields import Task
from diagnoser.training.probes import loss_questions as ask_loss
from diagnoser.training.probes.bench import Questions, UnanswerableError, class_axis, fresh, spread_rows
from diagnoser.training.probes.loss_questions import Case, Domain
from diagnoser.training.randomness import forked
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe

LABEL_ROWS = 20_000  # whole columns of labels in memory; read one by one they are looked at for a second at most
LABEL_ROWS_READ = 1_024
SHOWN = 10
DEFAULT_IGNORE_INDEX = -100  # torch's
SUM_TOLERANCE = 1e-3
ROUNDING = 1e-6  # float32 may end this far outside a closed range


def measure(workload: Workload, probe: Probe) -> LossProfile:
    """Measure the loss on real outputs of an untrained model and on outputs whose worth is known."""
    questions = Questions(probe.max_seconds)
    model = workload.build_model(seed=probe.seed)
    batch = spread_rows(workload, max(2, workload.train.batch_size))
    family = workload.loss_family
    output, target = _output_and_target(workload, model, batch, questions)
    value = questions.ask("value", lambda: _value(workload, model, batch))
    facts: dict[str, Any] = {
        "value": math.nan if value is None else value,
        "negative": value is not None and value < 0,
        "output_shape": None if output is None else tuple(output.shape),
        "target_shape": None if target is None else tuple(target.shape),
    }
    case = None
    if workload.loss_function is not None and output is not None and target is not None:
        case = questions.ask("output and target", lambda: _case(workload, output, target, family))
    if case is None:
        ratio = questions.ask("batch twice", lambda: _doubled_step(workload, model))
        why = "the loss is computed inside a step" if workload.has_user_step else _reasons(questions)
        return _bare(facts, ratio, why or "the loss is no function of one output and one target")
    found = _full(facts, case, questions, family)
    if questions.ask("loss of the output", lambda: case.value(case.output)) is None and not found.label_out_of_range:
        return _bare(facts, None, questions.left_open[-1])
    return found


def _output_and_target(
    workload: Workload, model: torch.nn.Module, batch: Any, questions: Questions
) -> tuple[Tensor | None, Tensor | None]:
    """In eval mode, so that the random parts of the model do not blur what is asked of the loss."""
    if workload.layout is None:
        return None, None
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with forked(0):
            output = questions.ask("output", lambda: workload.output(model, fresh(batch)))
    finally:
        for module, mode in modes.items():
            module.training = mode
    return (None if output is None else output.detach()), workload.layout.target(batch)


def _value(workload: Workload, model: torch.nn.Module, batch: Any) -> float:
    with forked(0):
        return workload.loss(model, fresh(batch)).item()


def _doubled_step(workload: Workload, model: torch.nn.Module) -> float:
    """loss(batch twice) / loss(batch) of the user's step."""
    rows = list(range(min(workload.train.rows, max(2, workload.train.batch_size))))
    model.eval()
    once, twice = (
        _value(workload, model, workload.to_device(workload.train.take(numbers))) for numbers in (rows, rows + rows)
    )
    if once == 0 or not math.isfinite(once):
        raise UnanswerableError("the loss is 0 or not finite")
    return twice / once


def _case(workload: Workload, output: Tensor, target: Tensor, family: str) -> Case:
    axis = class_axis(tuple(output.shape), tuple(target.shape))
    sums = bool(((output.sum(axis) - 1).abs() <= SUM_TOLERANCE).all()) if output.ndim >= 2 else False
    within = bool(((output >= -ROUNDING) & (output <= 1 + ROUNDING)).all())
    domain: Domain = "real"
    if family == "bce" or (family == "other" and within and output.std(unbiased=False) > 0):
        domain = "probabilities"
    case = Case(workload, output.float(), target, axis, domain, family, sums and within)
    if family == "nll":
        logs = replace(case, domain="log probabilities")
        case = logs if ask_loss.takes_log_probabilities(logs) else replace(case, domain="probabilities")
    return case


def _bare(facts: dict[str, Any], ratio: float | None, because: str) -> LossProfile:
    return LossProfile(
        **facts,
        applies_softmax=None,
        applies_sigmoid=None,
        takes_log_probabilities=False,
        takes_probabilities=False,
        rows_of_exp_sum_to_one=None,
        doubled_batch_ratio=ratio,
        broadcasts=False,
        permutation_invariant=None,
        falls_with_worse_answers=None,
        finite_at_extremes=None,
        targets_within_unit_interval=False,
        label_out_of_range=(),
        ignored_class=None,
        because_unjudged=because,
    )


def _full(facts: dict[str, Any], case: Case, questions: Questions, family: str) -> LossProfile:
    labels = questions.ask("labels", lambda: _labels(case.workload))
    labels = case.target.flatten() if labels is None else labels
    softmax = questions.ask("softmax inside", lambda: ask_loss.applies_softmax(case))
    ignored, weightless = _silent_classes(case, labels, questions)
    logs = case.domain == "log probabilities"
    return LossProfile(
        **{**facts, "negative": facts["negative"] or bool(questions.ask("sign", lambda: _falls_below_zero(case)))},
        applies_softmax=softmax,
        applies_sigmoid=_applies_sigmoid(case, family, softmax=softmax),
        takes_log_probabilities=logs,
        takes_probabilities=family == "bce",
        rows_of_exp_sum_to_one=_rows_of_exp_sum_to_one(case) if logs else None,
        doubled_batch_ratio=questions.ask("batch twice", lambda: ask_loss.doubled_batch_ratio(case)),
        broadcasts=bool(questions.ask("shapes", lambda: ask_loss.broadcasts(case))),
        permutation_invariant=questions.ask("targets permuted", lambda: ask_loss.permutation_invariant(case)),
        falls_with_worse_answers=questions.ask("worse answers", lambda: ask_loss.falls_with_worse_answers(case)),
        finite_at_extremes=questions.ask("extremes", lambda: ask_loss.finite_at_extremes(case)),
        targets_within_unit_interval=bool(((labels >= 0) & (labels <= 1)).all()),
        label_out_of_range=_out_of_range(case, labels, family, softmax=bool(softmax), ignored=ignored),
        ignored_class=ignored,
        zero_weight_classes=weightless,
        unanswered=tuple(questions.left_open),
    )


def _reasons(questions: Questions) -> str | None:
    return "; ".join(questions.left_open) or None


def _applies_sigmoid(case: Case, family: str, *, softmax: bool | None) -> bool | None:
    if family == "bce_with_logits" or (family == "focal" and case.output.shape == case.target.shape):
        return True
    return None if family == "other" and not softmax else False


def _rows_of_exp_sum_to_one(case: Case) -> bool:
    return bool(((case.output.exp().sum(case.axis) - 1).abs() <= SUM_TOLERANCE).all())


def _falls_below_zero(case: Case) -> bool:
    """At the model's own outputs, or at sure answers, right and wrong."""
    values = [case.value(output) for output in (case.output, *ask_loss.sure_answers(case))]
    return any(value < -ROUNDING for value in values)


def _labels(workload: Workload) -> Tensor:
    """Read the targets of training and validation."""
    assert workload.layout is not None
    found = []
    for split in (workload.train, workload.validation):
        rows = min(split.rows, LABEL_ROWS if split.in_memory else LABEL_ROWS_READ)
        target = workload.layout.target(split.take(range(rows)))
        if target is not None:
            found.append(target.detach().flatten())
    if not found:
        raise UnanswerableError("the batches hold no target")
    return torch.cat(found)


def _out_of_range(case: Case, labels: Tensor, family: str, *, softmax: bool, ignored: int | None) -> tuple[int, ...]:
    """Labels that name no output, or that are no yes or no: the first ten."""
    distinct = torch.unique(labels)
    whole = distinct[distinct.isfinite() & (distinct == distinct.round())] if labels.is_floating_point() else distinct
    binary = family in ("bce", "bce_with_logits") or (case.workload.task is Task.BINARY and case.classes == 1)
    if case.holds_classes and case.classes > 1 and (softmax or family in ("cross_entropy", "nll", "focal")):
        allowed = {DEFAULT_IGNORE_INDEX, ignored, _setting(case.workload, "ignore_index")}
        outside = [int(label) for label in whole if not 0 <= label < case.classes and int(label) not in allowed]
    elif binary:
        outside = [int(label) for label in whole if not 0 <= label <= 1]
    else:
        return ()
    return tuple(outside[:SHOWN])


def _silent_classes(case: Case, labels: Tensor, questions: Questions) -> tuple[int | None, tuple[int, ...]]:
    """Which class does the loss leave out: by `ignore_index`, or with a weight of 0?"""
    silent = questions.ask("classes without weight", lambda: ask_loss.classes_without_weight(case)) or ()
    index = _setting(case.workload, "ignore_index")
    ignored = index if index in silent and bool((labels == index).any()) else None
    return ignored, tuple(label for label in silent if label != index)


def _setting(workload: Workload, name: str) -> int | None:
    """Find an integer setting of the loss: in the spec, or on the object that was built."""
    given = workload.spec.loss.args.get(name) if workload.spec.loss is not None else None
    if given is None:
        function = None if workload.loss_function is None else workload.loss_function.function
        given = getattr(function, name, getattr(function, "keywords", {}).get(name))
    return given if isinstance(given, int) else None
