"""Can a language model see the token that it must predict?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Task
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The model sees future tokens",
    why="A model that sees the next token copies it: the loss is superb and the generated text is noise.",
    since="0.1",
    references=("https://arxiv.org/abs/1706.03762",),
)


def check(assumptions: Assumptions, model: ModelProfile) -> Iterator[Finding | Passed]:
    if assumptions.task is not Task.LANGUAGE_MODEL:
        raise NotApplicable("the task is no language model")
    if model.future_visible is None:
        raise Unjudged("single tokens of a sequence could not be changed")
    expected = "a later token changes no earlier output"
    if not model.future_visible:
        yield Passed(observed=expected, expected=expected)
        return
    yield Finding(
        message="Changing a token changes the outputs before it: each position can see what it must predict, "
        "so training and validation figures are far too good.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed="a later token changes earlier outputs",
        expected=expected,
        evidence=("/steps/preflight/model/value/future_visible",),
        fixes=(
            Fix(
                title="Mask the future",
                advice="pass a causal mask to attention (`is_causal=True`), and use no bidirectional recurrent layer",
            ),
        ),
        key="model",
    )
