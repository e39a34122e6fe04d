"""What is the model like before any training? Three initialisations, watched, asked and updated three times.

The telling questions come first; what the time does not allow is left open, with the reason in `unanswered`.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from diagnoser.evidence.preflight import ModelProfile, OutputProfile, PaddingProfile
from diagnoser.training.probes import (
    dependence,
    layers,
    masks,
    outputs,
    padded_rows,
    padding,
    strides,
    structure,
    updates,
)
from diagnoser.training.probes.bench import Questions, spread_rows, trainable
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe

INITIALISATIONS = 3  # what depends on chance must appear in at least two of three (CATALOGUE, law 2)
HALF = (torch.float16, torch.bfloat16)


@dataclass
class Findings:
    """What the initialisations said, one entry each; None where a question could not be answered."""

    passes: list[layers.Pass] = field(default_factory=list)
    answers: list[outputs.Answers] = field(default_factory=list)
    stochastic: list[tuple[bool, bool] | None] = field(default_factory=list)
    ignored: list[bool | None] = field(default_factory=list)
    mixed: list[bool | None] = field(default_factory=list)
    future: list[bool | None] = field(default_factory=list)
    order: list[bool | None] = field(default_factory=list)
    other_order: list[bool | None] = field(default_factory=list)
    affine: bool | None = None
    padded: padded_rows.Padded | None = None


def measure(workload: Workload, probe: Probe) -> ModelProfile:
    """Measure a model at initialisation. Raises what the user's factory or forward raises."""
    questions = Questions(probe.max_seconds)
    first = workload.build_model(seed=probe.seed)
    second = workload.build_model(seed=probe.seed + 1)
    in_eval, outside = structure.in_eval_mode(first), structure.unregistered(first)
    shared = structure.shares_storage(first, second)
    equal, frozen_random = structure.are_equal(first, second), structure.frozen_random_share(first, second)
    if shared:  # what is updated below must not be the user's
        second = copy.deepcopy(second)
    found = Findings()
    found.padded = questions.ask("padding", lambda: padded_rows.find(workload, first))
    _initialisation(workload, copy.deepcopy(first) if shared else first, probe.seed, found, questions)
    outside_head = structure.random_share_outside_head(first, second, _last_layers(found))
    watched = _updates(workload, found, probe.seed, questions, shared=shared)
    for number in range(1, INITIALISATIONS):
        if questions.time_is_up:
            questions.left_open.append(f"initialisation {number + 1}: no time was left")
            break
        model = second if number == 1 else workload.build_model(seed=probe.seed + number)
        _initialisation(workload, model, probe.seed + number, found, questions)
    own = copy.deepcopy(workload.build_model(seed=probe.seed)) if shared else workload.build_model(seed=probe.seed)
    few = spread_rows(workload, masks.ROWS)
    strided = questions.ask("maps of pictures", lambda: strides.strided(workload, own, few))
    questions.ask("silent units", lambda: layers.look_at_more_rows(workload, first, found.passes[0], questions))
    return _record(
        workload,
        first,
        found,
        watched,
        questions,
        frozen_are_random_share=frozen_random,
        random_share_outside_head=outside_head,
        half_precision_weights=any(weight.dtype in HALF for weight in first.parameters() if weight.requires_grad),
        shares_storage_between_calls=shared,
        equal_for_different_seeds=equal,
        unregistered=tuple(name for name in outside if watched is None or name in watched.fed),
        eval_mode_from_factory=in_eval,
        padding=_padding(workload, own, found, questions),
        hand_mask=questions.ask("a mask of one's own", lambda: masks.find(workload, own, few)),
        strided=strided or (),
    )


def _padding(workload: Workload, model: nn.Module, found: Findings, questions: Questions) -> PaddingProfile | None:
    if (padded := found.padded) is None:
        return None
    model.eval()
    counted = questions.ask("padding in the loss", lambda: padding.counted(workload, model, padded))
    return padding.profile(padded, counted)


def _last_layers(found: Findings) -> set[str]:
    seen = found.passes[0]
    return {path for path in seen.trace.weight_layers if not layers.is_hidden(path, seen)}


def _updates(
    workload: Workload, found: Findings, seed: int, questions: Questions, *, shared: bool
) -> updates.Updates | None:
    hidden = set(found.passes[0].trace.weight_layers) - _last_layers(found)

    def train() -> updates.Updates:
        model = copy.deepcopy(workload.build_model(seed=seed)) if shared else workload.build_model(seed=seed)
        return updates.watch(workload, model, hidden, structure.unregistered(model), questions)

    return questions.ask("the first updates", train)


def _initialisation(workload: Workload, model: nn.Module, seed: int, found: Findings, questions: Questions) -> None:
    seen = layers.watch(workload, model, seed=seed)
    found.passes.append(seen)
    if seen.failure is not None:
        questions.left_open.append(f"the gradients: {seen.failure}")
    model.eval()
    batch = spread_rows(workload, outputs.ROWS)
    answers = questions.ask("the outputs", lambda: outputs.collect(workload, model, batch))
    if answers is not None:
        found.answers.append(answers)
    few = spread_rows(workload, dependence.ROWS)
    stochastic = questions.ask("the same output twice", lambda: dependence.stochastic(workload, model, few))
    found.stochastic.append(stochastic)
    if stochastic is not None and stochastic[1]:
        questions.left_open.append("what outputs depend on: they differ even with the random state fixed")
        return
    asked = questions.ask("what outputs depend on", lambda: dependence.Model(workload, model, few))
    if asked is None:
        return

    def ask(name: str, question: Callable[[dependence.Model], bool]) -> bool | None:
        return questions.ask(name, lambda: question(asked))

    mixed = ask("are rows kept apart", dependence.mixes_samples)
    found.mixed.append(mixed)
    if (padded := found.padded) is not None:
        alone = not mixed and stochastic is not None and not stochastic[0]
        moved = questions.ask("is padding left out", lambda: padding.change(workload, model, padded, alone=alone))
        padded.changes += [] if moved is None else [moved]
    found.ignored.append(ask("are inputs used", dependence.ignores_inputs))
    if dependence.is_language_model(workload):
        found.future.append(ask("are later tokens hidden", dependence.sees_future))
    if not asked.first.is_floating_point():
        found.order.append(ask("does the order count", dependence.ignores_order))
        if len(dependence.texts(asked)) > 1:
            found.other_order.append(ask("does the other text's order count", dependence.ignores_order_of_another))
    elif not found.passes[1:]:
        found.affine = ask("is the network affine", dependence.is_affine)


def _always(answers: list[bool | None]) -> bool | None:
    """True only when every initialisation says so, False as soon as one denies it."""
    if any(answer is False for answer in answers):
        return False
    return True if len(answers) == INITIALISATIONS and all(answers) else None


def _ever(answers: list[bool | None]) -> bool | None:
    known = [answer for answer in answers if answer is not None]
    return any(known) if known else None


def _outputs(workload: Workload, found: Findings) -> OutputProfile:
    seen = found.passes[0]
    operation = seen.final.operation if seen.final is not None else "unknown"
    return outputs.profile(workload, found.answers, target_shape=seen.target_shape, final_operation=operation)


def _record(
    workload: Workload,
    model: nn.Module,
    found: Findings,
    watched: updates.Updates | None,
    questions: Questions,
    **facts: Any,
) -> ModelProfile:
    seen = found.passes[0]
    weights = list(model.parameters())
    trained = trainable(model)
    total = sum(weight.numel() for weight in trained.values())
    unused = watched.unused if watched is not None else ()
    output = questions.sum_up("the range of the outputs", lambda: _outputs(workload, found)) if found.answers else None
    return ModelProfile(
        parameters=sum(weight.numel() for weight in weights),
        frozen_parameters=sum(weight.numel() for weight in weights if not weight.requires_grad),
        layers=layers.profiles(workload, model, found.passes, watched.similarity if watched is not None else {}),
        output=output,
        weight_layers=len(seen.trace.weight_layers),
        affine=found.affine,
        inputs_ignored=_always(found.ignored),
        samples_mixed=_ever(found.mixed),
        future_visible=_ever(found.future),
        order_ignored=_always(found.order),
        other_order_ignored=_always(found.other_order),
        stochastic_in_eval=any(pair is not None and pair[0] for pair in found.stochastic),
        stochastic_with_fixed_seed=any(pair is not None and pair[1] for pair in found.stochastic),
        first_forward_non_finite=next(
            (p.trace.first_non_finite for p in found.passes if p.trace.first_non_finite), None
        ),
        unused=unused,
        unused_share=sum(trained[name].numel() for name in unused) / total if total else 0.0,
        attention=seen.trace.attention,
        recurrent=seen.trace.recurrent,
        grad_free_before=structure.grad_free_before(model, seen),
        starts_with_normalisation=structure.starts_with_normalisation(model, seen),
        unanswered=tuple(questions.left_open),
        **facts,
    )
