"""Does the loss stay finite when the outputs are large?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, LossProfile
from diagnoser.evidence.steps import Curves, InitialLoss
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.trials import Outcome
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The loss breaks at extreme outputs",
    why="One confident mistake is then enough to turn the loss, and with it every weight, into NaN.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html",),
)
IN_THE_LOSS = "loss"  # what `first_non_finite` says when everything before the loss was finite
BUILT_IN = {
    "cross_entropy": "cross_entropy on logits",
    "nll": "cross_entropy on logits",
    "bce": "binary_cross_entropy_with_logits on logits",
    "bce_with_logits": "binary_cross_entropy_with_logits on logits",
    "focal": "focal_loss on logits",
    "mse": "mse_loss",
    "l1": "l1_loss",
    "huber": "huber_loss",
}
TAKES_THE_SAME = frozenset({"cross_entropy", "bce_with_logits", "mse", "l1", "huber"})
"""Families whose built-in is given the very outputs that the user's loss is given: a machine can put it there."""


def check(
    assumptions: Assumptions, loss: LossProfile, initial: InitialLoss | None, curves: Curves | None
) -> Iterator[Finding | Passed]:
    if loss.finite_at_extremes is None:
        raise Unjudged(loss.because_unjudged or "the loss could not be asked about outputs a hundred times larger")
    if not is_finite(loss.value):
        raise Unjudged("the loss is not finite to begin with, so its extremes say nothing")
    expected = "finite loss and gradient for outputs a hundred times larger"
    if loss.finite_at_extremes:
        yield Passed(observed=expected, expected=expected)
        return
    runs = [run for run in curves.runs if run.outcome is Outcome.DIVERGED] if curves is not None else []
    broke = any(run.first_non_finite == IN_THE_LOSS for run in runs) or (
        initial is not None and initial.first_non_finite == IN_THE_LOSS
    )
    known = BUILT_IN.get(assumptions.loss_family)
    yield Finding(
        message=f"With outputs a hundred times larger `{assumptions.loss}` or its gradient is not finite."
        + (" In a run it was the first value that became NaN or infinite." if broke else ""),
        severity=Severity.ERROR if broke else Severity.INFO,
        confidence=Confidence.HIGH,  # by definition
        observed="not finite at outputs x100",
        expected=expected,
        evidence=("/steps/preflight/loss/value/finite_at_extremes",),
        fixes=(
            Fix(
                title=f"Use the built-in {known.split()[0]}" if known else "Compute it in a stable form",
                patch={"loss": known.split()[0]}
                if broke and known and assumptions.loss_family in TAKES_THE_SAME
                else {},
                advice=f"`loss: {known.split()[0]}`{known.removeprefix(known.split()[0])} is stable at any output"
                if known
                else "`torch.logsumexp` and `F.logsigmoid` in place of `log(exp(...))`, and `clamp(min=1e-7)` before "
                "`log` or a division",
            ),
        ),
        explains=("non-finite-loss", "loss-spikes") if broke else (),
        key="loss",
        by_definition=True,
    )
