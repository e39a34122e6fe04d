"""Does one row of a batch change another row's answer?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="Samples are mixed within a batch",
    why="When one row's answer depends on its neighbours, the model learns from company it will not have later.",
    since="0.1",
    references=("http://karpathy.github.io/2019/04/25/recipe/",),
)


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
    if model.samples_mixed is None:
        raise Unjudged("single rows of a batch could not be changed")
    expected = "each row is answered on its own"
    if not model.samples_mixed:
        yield Passed(observed="changing one row leaves the other answers as they are", expected=expected)
        return
    yield Finding(
        message="In eval mode, changing one row of a batch changes the outputs of other rows.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed="other rows' outputs change",
        expected=expected,
        evidence=("/steps/preflight/model/value/samples_mixed",),
        fixes=(
            Fix(
                title="Keep the batch axis apart",
                advice="look for a `view` or `reshape` that merges the batch axis, "
                "and for the `dim` of every softmax, mean and norm",
            ),
        ),
        explains=("small-set-not-memorised", "underfitting", "nothing-learned", "overfitting"),
        key="model",
    )
