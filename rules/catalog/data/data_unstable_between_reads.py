"""Does the same row read twice give the same numbers?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, DataProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Task
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="Data change between reads",
    why="What changes while it is read is augmented where it should be measured, or spoiled a little more each epoch.",
    since="0.1",
)


def check(data: DataProfile, assumptions: Assumptions) -> Iterator[Finding | Passed]:
    expected = "the same index gives the same row"
    if not (data.reads_differ or data.training_changes):
        yield Passed(observed="rows read twice are equal", expected=expected)
        return
    by_design = assumptions.task is Task.CUSTOM and not data.training_changes  # noise drawn by the data set
    if data.training_changes:
        yield Finding(
            title="Training rows change as they are read",
            message="With the random state restored, training rows differ from one read to the next: "
            "something changes them in place, a little more each epoch.",
            severity=Severity.WARNING,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed="training rows differ between reads with the random state restored",
            expected=expected,
            evidence=("/steps/preflight/data/value/training_changes",),
            fixes=(
                Fix(title="Copy before changing", advice="avoid `-=`, `*=` and `out=` on rows that the data set keeps"),
            ),
            explains=("overfitting", "stochastic-validation-loss", "seeds-not-fixed", "small-set-not-memorised"),
            key="data",
            subject="training rows",
        )
    if data.reads_differ:
        yield Finding(
            title="Validation rows differ each time they are read",
            message="The same validation rows were read twice and differ: a random transform is applied to them."
            + (" For a loss of your own this may be meant." if by_design else ""),
            severity=Severity.INFO if by_design else Severity.WARNING,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed="the same validation indices give different rows",
            expected=expected,
            evidence=("/steps/preflight/data/value/reads_differ",),
            fixes=(Fix(title="Give validation a transform of its own", advice="one without random parts"),),
            explains=() if by_design else ("overfitting", "stochastic-validation-loss"),
            key="data",
            subject="validation rows",
        )
