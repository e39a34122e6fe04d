"""Which lines of the user's own source would a fix change? Shown where only one place can be meant."""

from collections.abc import Mapping

from diagnoser.evidence.evidence import EditName, Evidence, SourceEdit
from diagnoser.evidence.outcome import Measured
from diagnoser.findings import Fix
from diagnoser.trials import Transform

BY_TRANSFORM: Mapping[Transform, EditName] = {
    Transform.REMOVE_FINAL_ACTIVATION: "drop-final-activation",
    Transform.INSERT_RELU: "insert-relu",
    Transform.ALL_PARAMETERS_IN_OPTIMIZER: "all-parameters",
    Transform.NEGATE_LOSS: "turn-sign",
}
BY_ADVICE: Mapping[str, tuple[tuple[str, EditName], ...]] = {
    "gradients-not-cleared": (("`optimizer.zero_grad()`", "clear-gradients"),),
    "loop-calls-out-of-order": (
        ("`optimizer.zero_grad()`", "clear-gradients"),
        ("`scheduler.step()` after", "schedule-after-step"),
        ("`clip_grad_norm_` between", "clip-before-step"),
    ),
    "optimizer-not-stepped": (("put `optimizer.step()`", "step-optimizer"),),
    "training-in-eval-mode": (("begin the loop with `model.train()`", "train-mode"),),
    "evaluation-in-train-mode": (("begin `evaluate` with `model.eval()`", "eval-mode"),),
    "memory-grows-each-step": (("`total += loss.item()`", "keep-numbers"),),
    "accumulated-gradient-not-averaged": ((").backward()`", "divide-loss"),),
    "loss-ascended": (("`(-loss).backward()`", "descend"), ("drop the minus sign", "turn-sign")),
    "modules-not-registered": (("`nn.ModuleList`", "register-layers"),),
    "dropout-active-in-eval": (("training=self.training", "dropout-by-mode"),),
    "graph-detached": (("`detach()`", "keep-graph"),),
}
"""By rule: words of an advice, and the change that does what they say."""


def find(fix: Fix, evidence: Evidence, *, rule: str, subject: str | None) -> str | None:
    """The change of the user's files that the fix is, as a unified diff; None where it is not plain."""
    edits = evidence.environment.source.edits
    if fix.transforms:
        found = [_by_transform(transform, edits, evidence) for transform in fix.transforms]
    elif fix.advice and not fix.patch:
        names = [name for words, name in BY_ADVICE.get(rule, ()) if words in fix.advice]
        found = [
            next((edit for edit in edits if edit.name == name and _is_about(edit, subject)), None) for name in names
        ]
    else:
        return None
    return "\n".join(edit.diff for edit in found if edit is not None) or None


def _by_transform(transform: Transform, edits: tuple[SourceEdit, ...], evidence: Evidence) -> SourceEdit | None:
    edit = next((edit for edit in edits if edit.name == BY_TRANSFORM.get(transform)), None)
    if edit is None or edit.subject is None:
        return edit
    return edit if edit.subject == _last_operation(evidence) else None


def _last_operation(evidence: Evidence) -> str | None:
    """What the model ends in, as it was seen at work: "Softmax" and "softmax" are one."""
    model = evidence.steps.preflight.model
    output = model.value.output if isinstance(model, Measured) else None
    return output.final_operation.lower().replace("_", "") if output is not None else None


def _is_about(edit: SourceEdit, subject: str | None) -> bool:
    return edit.subject is None or (subject is not None and edit.subject == subject.rpartition(".")[2])
