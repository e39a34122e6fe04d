"""Is the figure of the user's `evaluate` that of all validation rows?"""

from collections.abc import Iterator
from math import isclose

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The validation metric is not that of all rows",
    why="A short last batch that weighs as much as a full one, or is left out, bends the figure you decide by.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader",),
)
SHARE = 0.01  # one percentage point (CATALOGUE)
RELATIVE = 0.01  # of a loss, or of any other metric without a scale
EQUAL = 1e-3  # relative: it is the plain mean over batches
SHARES = ("accuracy", "acc", "f1", "precision", "recall")
FIX = Fix(
    title="Weight each batch by its length",
    advice="`total += value * len(target); rows += len(target)`, and `total / rows` at the end",
)
ALL = Fix(title="Evaluate all batches", advice="iterate over everything that `evaluate` is given, the last batch too")


def check(loop: LoopAudit) -> Iterator[Finding | Passed]:
    if not loop.has_evaluate:
        raise NotApplicable("the spec has no evaluate of your own; ours was used")
    names = [name for name in loop.user_metrics if is_finite(loop.our_metrics.get(name))]
    if not names:
        raise Unjudged("none of the figures that your evaluate returned has a name that we measure too")
    wrong = [name for name in names if _apart(name, loop.user_metrics[name], loop.our_metrics[name])]
    averaged = [name for name in wrong if _is_batch_mean(loop, name)]
    given, drawn = loop.evaluate_batches_given, loop.evaluate_batches_drawn
    shown = "; ".join(
        f"{name} {loop.user_metrics[name]:.4g} against {loop.our_metrics[name]:.4g}" for name in wrong or names
    )
    expected = "the figure over all validation rows"
    if averaged:
        said = f"it equals the plain mean over batches ({shown})"
    elif 0 < drawn < given:
        said = f"it covers {drawn} of {given} batches ({shown})"
    else:
        yield Passed(observed=shown, expected=expected)
        return
    sure = bool(wrong)
    yield Finding(
        title=f"Your {(averaged or names)[0]} is averaged over unequal batches"
        if averaged
        else f"Your evaluate leaves out {given - drawn} of {given} batches",
        message=f"The figure of your evaluate is not that of all rows: {said}.",
        severity=Severity.WARNING if sure else Severity.INFO,
        confidence=Confidence.HIGH if sure else Confidence.LOW,
        observed=shown,
        expected=expected,
        evidence=("/steps/preflight/loop/value/user_metrics", "/steps/preflight/loop/value/our_metrics"),
        fixes=(FIX,) if averaged else (ALL,),
        key="evaluate",
        subject=(averaged or names)[0],
        by_definition=True,
    )


def _apart(name: str, theirs: float, ours: float) -> bool:
    if not is_finite(theirs):
        return False
    if any(share in name.lower() for share in SHARES):
        return abs(theirs - ours) > SHARE * (100.0 if max(abs(theirs), abs(ours)) > 1 else 1.0)
    return abs(theirs - ours) > RELATIVE * abs(ours)


def _is_batch_mean(loop: LoopAudit, name: str) -> bool:
    mean = loop.batch_mean_metrics.get(name)
    return mean is not None and isclose(loop.user_metrics[name], mean, rel_tol=EQUAL)
