"""Does each call of the model factory build a new model?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="The model factory does not build a new model",
    why="If two calls share weights, one experiment goes on training the model of another.",
    since="0.1",
)


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
    expected = "new weights in each call, drawn from the seed"
    if model.shares_storage_between_calls:
        yield Finding(
            title="Two calls of the model factory share their weights",
            message="Two calls of the model factory returned models with common storage: training one trains "
            "the other, so no two runs are independent.",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed="common storage",
            expected=expected,
            evidence=("/steps/preflight/model/value/shares_storage_between_calls",),
            fixes=(
                Fix(title="Build the model inside the factory", advice="no module or tensor at the top of the file"),
            ),
            explains=(
                "initial-loss-off-chance",
                "loss-diverges",  # a run that starts where another one ended can only get worse
                "small-set-not-memorised",
                "seed-dependent-training",
            ),
            key="model",
        )
        return
    if model.equal_for_different_seeds and model.parameters:
        yield Finding(
            title="The initial weights are the same for every seed",
            message="Under different seeds the factory returned equal weights: seeds then vary only the "
            "order of the rows. That is right for pretrained weights.",
            severity=Severity.INFO,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed="equal weights for different seeds",
            expected=expected,
            evidence=("/steps/preflight/model/value/equal_for_different_seeds",),
            fixes=(Fix(title="Leave the seed to the caller", advice="no `torch.manual_seed` inside the factory"),),
            key="model",
        )
        return
    yield Passed(observed="new weights in each call", expected=expected)
