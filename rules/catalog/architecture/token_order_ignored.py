"""Does a sequence model notice the order of its tokens?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Task
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The model ignores the order of tokens",
    why="Attention without positions sees a bag of words: 'dog bites man' and 'man bites dog' are one to it.",
    since="0.1",
    references=("https://arxiv.org/abs/1706.03762",),
)


def check(assumptions: Assumptions, model: ModelProfile) -> Iterator[Finding | Passed]:
    if model.order_ignored is None:
        raise NotApplicable("the inputs are no sequences of tokens")
    expected = "exchanging two earlier tokens changes the last output"
    if not model.order_ignored:
        yield Passed(observed=expected, expected=expected)
        return
    language = assumptions.task is Task.LANGUAGE_MODEL
    yield Finding(
        message="Exchanging two earlier tokens leaves the last output as it was, in three initialisations"
        + (": the next token cannot follow from their order." if language else "."),
        severity=Severity.WARNING if language else Severity.INFO,
        confidence=Confidence.HIGH,  # by definition; that it hurts is sure for language only
        by_definition=True,
        observed="the order of earlier tokens makes no difference",
        expected=expected,
        evidence=("/steps/preflight/model/value/order_ignored",),
        fixes=(Fix(title="Add positions", advice="add a positional embedding to the token embedding"),),
        key="model",
    )
