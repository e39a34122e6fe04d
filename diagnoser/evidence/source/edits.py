"""Which changes of the user's own files are so plain that they can be written down? Whether one is due, rules judge.

Covers: files that the user's code imports, reached from what the spec names: `model`, `loop`, `evaluate`, a factory of
an optimizer. Does not cover: what is made while the program runs, live objects of a notebook, more than one place that
could be meant. There the change is left out.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from diagnoser.evidence.evidence import EditName, SourceEdit
from diagnoser.evidence.source import call_order, final_activation, layers, losses, modes, statements
from diagnoser.evidence.source.files import Change, difference, parsed
from diagnoser.evidence.source.names import Project
from diagnoser.spec.fields import TrainingSpec

log = logging.getLogger(__name__)

NAMES: tuple[EditName, ...] = get_args(EditName)
MOST_FILES = 100  # a project of more is not read for this
MOST_BYTES = 500_000  # of one file
MOST_CHARACTERS = 4_000  # of a difference: a longer one is no small change

Found = Iterator[tuple[str | None, tuple[Change, ...] | None]]
"""What it is about, if it is one of several things of its kind; and the changes."""


def possible(spec: TrainingSpec, contents: Mapping[str, bytes]) -> tuple[SourceEdit, ...]:
    """All changes that can be told for certain, from the files by their names relative to the spec's folder."""
    if len(contents) > MOST_FILES:
        return ()
    small = {name: text for name, text in contents.items() if name.endswith(".py") and len(text) <= MOST_BYTES}
    project = Project({name: file for name, text in small.items() if (file := parsed(name, text)) is not None})
    found = []
    for name in NAMES:
        try:
            found += [
                edit for subject, changes in FINDERS[name](spec, project) if (edit := _edit(name, subject, changes))
            ]
        except Exception:  # a diff is a convenience: whatever is odd in a file must not cost the diagnosis
            log.exception("the user's source could not be read for %s", name)
    told = [(edit.name, edit.subject) for edit in found]
    return tuple(edit for edit in found if told.count((edit.name, edit.subject)) == 1)


def _edit(name: EditName, subject: str | None, changes: tuple[Change, ...] | None) -> SourceEdit | None:
    diff = difference(changes) if changes else None
    if not changes or not diff or len(diff) > MOST_CHARACTERS:
        return None
    first = changes[0]
    line = first.file.text.count("\n", 0, first.start) + 1
    return SourceEdit(name=name, subject=subject, file=first.file.name, line=line, diff=diff)


def _final_activation(spec: TrainingSpec, project: Project) -> Found:
    model = project.model(spec.model.factory)
    found = final_activation.without(project, model) if model is not None else None
    if found is not None:
        yield found.activation, (found.change,)


def _relu(spec: TrainingSpec, project: Project) -> Found:
    model = project.model(spec.model.factory)
    yield None, layers.with_relu(project, model) if model is not None else None


def _registered(_: TrainingSpec, project: Project) -> Found:
    yield from layers.registered(project)


def _dropout(_: TrainingSpec, project: Project) -> Found:
    yield None, layers.dropout_by_mode(project)


def _graph(spec: TrainingSpec, project: Project) -> Found:
    named = (spec.step, spec.loss.factory if spec.loss is not None else None)
    others = [project.find(reference) for reference in named if reference is not None]
    yield None, layers.attached(project, tuple(one for one in others if one is not None))


def _sign(spec: TrainingSpec, project: Project) -> Found:
    named = spec.step or (spec.loss.factory if spec.loss is not None else None)
    yield None, losses.turn_sign(project.find(named)) if named is not None else None


def _parameters(spec: TrainingSpec, project: Project) -> Found:
    factory = project.find(spec.optimizer.factory) if spec.optimizer.factory is not None else None
    yield None, layers.all_parameters(factory) if factory is not None else None


def _evaluation(spec: TrainingSpec, project: Project) -> Found:
    evaluate = project.find(spec.evaluate) if spec.evaluate is not None else None
    loop = _loop(spec, project)
    if loop is not None or spec.loop is None:  # else nobody knows who would turn the model back to train mode
        yield None, modes.eval_mode(evaluate, loop)


def _loop(spec: TrainingSpec, project: Project) -> statements.Loop | None:
    return statements.read(project.find(spec.loop)) if spec.loop is not None else None


def _in_loop(
    change: Callable[[statements.Loop], tuple[Change, ...] | None],
) -> Callable[[TrainingSpec, Project], Found]:
    def find(spec: TrainingSpec, project: Project) -> Found:
        loop = _loop(spec, project)
        yield None, change(loop) if loop is not None else None

    return find


FINDERS: Mapping[EditName, Callable[[TrainingSpec, Project], Found]] = {
    "drop-final-activation": _final_activation,
    "insert-relu": _relu,
    "register-layers": _registered,
    "dropout-by-mode": _dropout,
    "keep-graph": _graph,
    "all-parameters": _parameters,
    "clear-gradients": _in_loop(call_order.clear_gradients),
    "step-optimizer": _in_loop(call_order.step_optimizer),
    "schedule-after-step": _in_loop(call_order.schedule_after_step),
    "train-mode": _in_loop(modes.train_mode),
    "eval-mode": _evaluation,
    "keep-numbers": _in_loop(losses.keep_numbers),
    "clip-before-step": _in_loop(call_order.clip_before_step),
    "divide-loss": _in_loop(losses.divide_loss),
    "descend": _in_loop(losses.descend),
    "turn-sign": _sign,
}
