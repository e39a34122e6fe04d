"""Is the loss of an untrained model far from that of a guess?"""

from math import nan

import pytest

from diagnoser.evidence.steps import InitialLoss
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.loss.initial_loss_off_chance import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

ZEROED = make.treatments(make.treatment(transforms=(Transform.ZERO_LAST_LAYER,)))


def start(loss: float, **changes: object) -> InitialLoss:
    return make.initial_loss(**({"observed": (loss,) * 5} | changes))


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a little above": ((start(3.0),), Severity.INFO, Confidence.LOW, "1.3 times"),
    "half as much again": ((start(3.7),), Severity.INFO, Confidence.LOW, "3.700"),
    "half as much again, and a zeroed last layer cures it": (
        (start(3.7), ZEROED),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly better",
    ),
    "eight times": ((start(17.9),), Severity.WARNING, Confidence.MEDIUM, "2.303 (ln 10)"),
    "two initialisations only": ((start(17.9, observed=(17.9, 18.0)),), Severity.WARNING, Confidence.LOW, "17.9"),
    "frozen layers that come from another task": (
        (start(4.9), make.model_profile(parameters=1000, frozen_parameters=800, frozen_are_random_share=0.0)),
        Severity.INFO,
        Confidence.LOW,
        "another task",
    ),
    "far below chance": ((start(0.2),), Severity.INFO, Confidence.LOW, "leak"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "ln 10": ((make.initial_loss(),), "passed"),
    "the prior's entropy": ((start(0.4, prior_chance=0.39),), "passed"),
    "a loss summed over the batch": ((start(2.31 * 512), make.loss_profile(doubled_batch_ratio=2.0)), "passed"),
    "an autoencoder that ends in a sigmoid": (
        (
            start(0.233, chance=0.113, prior_chance=0.096),
            make.assumptions(task="regression", loss_family="mse"),
            make.data_profile(targets=make.target_profile(kind="real", mean=0.13, std=0.31)),
            make.model_profile(output=make.output_profile(lower_bound=0.0, upper_bound=1.0)),
        ),
        "passed",
    ),
    "no theory": ((make.initial_loss(chance=None, chance_because="a loss of the user's own"),), "not_applicable"),
    "NaN": ((start(nan),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
