"""Does something in the model stay random after `eval()`?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Task
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Dropout stays active in eval mode",
    why="Every prediction and every validation figure then depends on luck, and is worse than it need be.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html",),
)
FIX = Fix(
    title="Tie the random operation to the mode",
    advice="`F.dropout(x, p, training=self.training)`, or an `nn.Dropout(p)` made in `__init__`",
)


def check(assumptions: Assumptions, model: ModelProfile) -> Iterator[Finding | Passed]:
    if assumptions.task is Task.CUSTOM:
        raise NotApplicable("a model with a `step` of its own may sample by nature, as diffusion models do")
    expected = "two passes in eval mode that agree"
    if not model.stochastic_in_eval:
        yield Passed(observed=expected, expected=expected)
        return
    if model.stochastic_with_fixed_seed:
        raise Unjudged("two passes differ even with the random state fixed, so it is not a random operation of torch")
    may_sample = assumptions.task is Task.REGRESSION  # a variational model draws its code by design
    yield Finding(
        message="After `model.eval()` two passes over the same rows differ, and agree once the random state is fixed: "
        "a random operation ignores the mode.",
        severity=Severity.ERROR,
        confidence=Confidence.MEDIUM if may_sample else Confidence.HIGH,
        observed="two passes in eval mode differ",
        expected=expected,
        evidence=(
            "/steps/preflight/model/value/stochastic_in_eval",
            "/steps/preflight/model/value/stochastic_with_fixed_seed",
        ),
        fixes=(FIX,),
        explains=("stochastic-validation-loss",),
        key="model",
        by_definition=True,
    )
