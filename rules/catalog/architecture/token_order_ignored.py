"""Does a sequence model notice the order of its tokens?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import Task
from diagnoser.trials import Transform
from rules import confirmation
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The model ignores the order of tokens",
    why="Attention without positions sees a bag of words: 'dog bites man' and 'man bites dog' are one to it.",
    since="0.1",
    references=("https://arxiv.org/abs/1706.03762",),
)


ADVICE = "add a positional embedding to the token embedding"


def check(assumptions: Assumptions, model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    if model.order_ignored is None and model.other_order_ignored is None:
        raise NotApplicable("the inputs are no sequences of tokens")
    expected = "exchanging two earlier tokens changes the last output"
    if not model.order_ignored and not model.other_order_ignored:
        yield Passed(observed=expected, expected=expected)
        return
    language = assumptions.task is Task.LANGUAGE_MODEL and bool(model.order_ignored)
    which = "Exchanging" if model.order_ignored else "In another text that the model is given, exchanging"
    # A bag of words is meant to be one; attention is there to relate words.
    fix = Fix(
        title="Add positions",
        transforms=(Transform.INSERT_POSITIONS,) if model.attention else (),
        advice=ADVICE,
    )
    state = confirmation.state(treatments, fix)
    if state is FixState.REFUTED and not language:
        yield Passed(observed="positions were tried and bring nothing: the order does not matter", expected=expected)
        return
    hurts = language or state is FixState.VERIFIED
    yield Finding(
        message=f"{which} two earlier tokens leaves the last output as it was, in three initialisations"
        + (": the next token cannot follow from their order." if language else ".")
        + (" With positions added it does clearly better." if state is FixState.VERIFIED else ""),
        severity=Severity.WARNING if hurts else Severity.INFO,
        confidence=Confidence.HIGH,  # by definition; that it hurts is sure for language, elsewhere if tried
        by_definition=True,
        observed="the order of earlier tokens makes no difference",
        expected=expected,
        evidence=(
            "/steps/preflight/model/value/" + ("order_ignored" if model.order_ignored else "other_order_ignored"),
        ),
        fixes=(fix,),
        explains=("capacity-too-small", "underfitting", "unused-parameters") if hurts else (),
        key="model",
    )
