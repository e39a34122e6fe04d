"""Does a loss that takes probabilities get something else?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, LossProfile, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.trials import Transform
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="A loss for probabilities is fed with something else",
    why="Without the normalisation that the loss relies on, growing outputs lower it for ever, right or wrong.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html",),
)
CLAMPED = 0.1  # share of outputs that are exactly 0 or 1
RUNS_AWAY = (
    "loss-ascended",
    "loss-diverges",
    "non-finite-loss",
    "small-set-not-memorised",
    "nothing-learned",
)


def check(model: ModelProfile, loss: LossProfile, assumptions: Assumptions) -> Iterator[Finding | Passed]:
    output = model.output
    if loss.because_unjudged is not None:
        raise Unjudged(loss.because_unjudged)
    if not (loss.takes_log_probabilities or loss.takes_probabilities):
        raise NotApplicable("the loss takes neither probabilities nor their logarithms")
    if output is None:
        raise Unjudged("the outputs of the untrained model could not be examined")
    if output.constant_one:
        raise NotApplicable("the single output is always 1: another rule's question")
    observed = f"outputs from {output.minimum:.3g} to {output.maximum:.3g}"
    if loss.takes_log_probabilities:
        if loss.rows_of_exp_sum_to_one is None:
            raise Unjudged("whether the outputs are log probabilities could not be examined")
        wrong = not loss.rows_of_exp_sum_to_one
        expected = "log probabilities: the exponentials of a row sum to 1"
        probabilities = output.rows_sum_to_one and output.within_unit_interval
        transforms = (Transform.REMOVE_FINAL_ACTIVATION,) if probabilities else ()
        fix = Fix(title="Use cross_entropy on logits", patch={"loss": "cross_entropy"}, transforms=transforms)
        what = "probabilities, not their logarithms" if probabilities else "logits, not log probabilities"
    else:
        outside = output.minimum < 0 or output.maximum > 1
        hard = output.exact_zero_share + output.exact_one_share
        clamped = hard > CLAMPED and not any(word in output.final_operation.lower() for word in ("sigmoid", "softmax"))
        wrong = outside or clamped
        expected = "probabilities between 0 and 1"
        fix = Fix(title="Use binary_cross_entropy_with_logits", patch={"loss": "binary_cross_entropy_with_logits"})
        what = "numbers outside [0, 1]" if outside else f"clamped values, {hard:.0%} of them exactly 0 or 1"
    if not wrong:
        yield Passed(observed=observed, expected=expected)
        return
    yield Finding(
        title=f"{assumptions.loss} gets {what}",
        message=f"The loss {assumptions.loss} expects {expected}, and the model returns {what} ({observed}).",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/loss/value/rows_of_exp_sum_to_one",
            "/steps/preflight/loss/value/takes_probabilities",
            "/steps/preflight/model/value/output/minimum",
        ),
        fixes=(fix,),
        explains=RUNS_AWAY,
        key="loss",
    )
