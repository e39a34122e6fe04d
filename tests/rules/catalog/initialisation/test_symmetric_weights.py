"""Do the units of a hidden layer all learn the same thing?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.initialisation.symmetric_weights import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def alike(share: float | None, *, outputs: int = 10) -> Record:
    first = make.layer_profile("net.0", unit_gradient_similarity=share)
    return make.model_profile(layers=(first, *make.layers()[1:]), output=make.output_profile(shape=(32, outputs)))


STUCK = make.overfit(attempts=tuple(make.stuck_attempt(seed=s) for s in range(3)))
REDRAWN = make.treatments(make.treatment(transforms=(Transform.REINITIALISE,)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "constant weights": ((alike(1.0),), Severity.ERROR, Confidence.HIGH, "net.0"),
    "half of the pairs, and the small set is not learned": (
        (alike(0.6), STUCK),
        Severity.ERROR,
        Confidence.MEDIUM,
        "60%",
    ),
    "half of the pairs, and nothing else known": ((alike(0.6),), Severity.ERROR, Confidence.MEDIUM, "60%"),
    "half of the pairs, and random weights are clearly better": (
        (alike(0.6), REDRAWN),
        Severity.ERROR,
        Confidence.HIGH,
        "60%",
    ),
    "half of the pairs, and the small set is learned all the same": (
        (alike(0.6, outputs=1), make.overfit()),
        Severity.INFO,
        Confidence.LOW,
        "60%",
    ),
    "equal units before a single output that learns nothing": (
        (alike(1.0, outputs=1), STUCK),
        Severity.ERROR,
        Confidence.HIGH,
        "100%",
    ),
}
ZEROS = make.model_profile(
    affine=True, layers=(make.layer_profile("net.0", unit_gradient_similarity=1.0, weight_norm=0.0), *make.layers()[1:])
)
FIRES["a network of zeros, affine though it is"] = ((ZEROS, STUCK), Severity.ERROR, Confidence.HIGH, "net.0")
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "random weights": ((make.model_profile(), make.overfit()), "passed"),
    "some parallel gradients": ((alike(0.3),), "passed"),
    "a linear network": ((make.model_profile(affine=True),), "not_applicable"),
    "no hidden layer": ((make.model_profile(layers=(make.layer_profile(hidden=False),)),), "not_applicable"),
    "gradients that were not compared": (
        (make.model_profile(layers=(make.layer_profile(unit_gradient_similarity=None),)),),
        "unjudged",
    ),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
