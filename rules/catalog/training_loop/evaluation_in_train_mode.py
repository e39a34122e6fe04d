"""Does the user's `evaluate` measure the model in train mode, or change it?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Evaluation runs in train mode",
    why="Dropout then switches units off at random and BatchNorm learns from validation rows: the figures are wrong.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval",),
)
ADVICE = Fix(
    title="Switch to eval mode and back",
    advice="begin `evaluate` with `model.eval()`, and begin each training epoch with `model.train()`",
)
KEPT = Fix(
    title="Leave the model as it was",
    advice="no `backward`, `step` or assignment to parameters in `evaluate`; wrap it in `torch.no_grad()`",
)


def check(loop: LoopAudit) -> Iterator[Finding | Passed]:
    if not loop.has_evaluate:
        raise NotApplicable("the spec has no evaluate of your own; ours was used")
    modules, changed = loop.modules_training_while_evaluating, loop.evaluate_changes_state
    expected = "every module in eval mode, and nothing changed"
    if not modules and changed is None:
        said = f": it raised {loop.error.kind}: {loop.error.message}" if loop.error is not None else ""
        raise Unjudged(f"your evaluate could not be watched{said}")
    if not modules and not changed:
        yield Passed(observed="no module in train mode, nothing changed", expected=expected)
        return
    parts = []
    if modules:
        parts.append(f"`{modules[0]}`{f' and {len(modules) - 1} more' if len(modules) > 1 else ''} ran in train mode")
    if changed:
        parts.append("the model's parameters or buffers were other ones afterwards")
    on_purpose = loop.dropout_switched_on_alone and not changed
    confirmed = loop.evaluations_differ and loop.evaluations_agree_in_eval
    yield Finding(
        title="Your evaluate runs in train mode" if modules else "Your evaluate changes the model",
        message=f"During your evaluate {' and '.join(parts)}."
        + (" Two evaluations of the same weights differ, and agree in eval mode." if confirmed else "")
        + (
            " Dropout alone was switched on, in a model in eval mode: as Monte Carlo dropout does."
            if on_purpose
            else ""
        ),
        severity=Severity.INFO if on_purpose else Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        observed="; ".join(parts),
        expected=expected,
        evidence=(
            "/steps/preflight/loop/value/modules_training_while_evaluating",
            "/steps/preflight/loop/value/evaluate_changes_state",
        ),
        fixes=(ADVICE,) if modules else (KEPT,),
        key="evaluate",
        by_definition=True,
    )
