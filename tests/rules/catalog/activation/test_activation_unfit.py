"""Would another hidden activation do clearly better?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.activation.activation_unfit import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

TANH = make.model_profile(layers=(make.layer_profile(activation="tanh", dead_share=None),))
THOROUGH = make.spec(protocol={"preset": "thorough"})
RELU = {"transforms": (Transform.RELU_ACTIVATIONS,)}
GELU = (Transform.GELU_ACTIVATIONS,)
RATE = {"optimizer.lr": 0.003}  # the winner of the search
GAIN = {"before": (0.6, 0.62, 0.61), "after": (0.8, 0.81, 0.8)}
IN_VAIN = {"before": (0.6, 0.62, 0.61), "after": (0.6, 0.61, 0.6)}
RELUS = make.model_profile()
BOTH = make.treatment(transforms=GELU, patch=RATE, **GAIN)
RATE_ALONE = make.treatment(transforms=(), patch=RATE, **GAIN)
RATE_IN_VAIN = make.treatment(transforms=(), patch=RATE, **IN_VAIN)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "ReLU is clearly better": (
        (make.spec(), TANH, make.treatments(make.treatment(**RELU))),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly better",
    ),
    "GELU is clearly better": (
        (make.spec(), RELUS, make.treatments(make.treatment(transforms=GELU, **GAIN))),
        Severity.WARNING,
        Confidence.HIGH,
        "GELU",
    ),
    "GELU is clearly better at another rate, which alone is not": (
        (make.spec(), RELUS, make.coarse_search(), make.treatments(BOTH, RATE_IN_VAIN)),
        Severity.WARNING,
        Confidence.HIGH,
        "learning rate of 0.003: clearly better",
    ),
    "worth a trial when there is time": ((THOROUGH, TANH), Severity.INFO, Confidence.LOW, "worth a trial"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "ReLU is not better": (
        (make.spec(), TANH, make.treatments(make.treatment(**RELU, after=(0.11, 0.10, 0.12)))),
        "passed",
    ),
    "the rate does it, not GELU": (
        (make.spec(), RELUS, make.coarse_search(), make.treatments(BOTH, RATE_ALONE)),
        "passed",
    ),
    "nobody tried the rate alone": ((make.spec(), RELUS, make.coarse_search(), make.treatments(BOTH)), "passed"),
    "not tried": ((make.spec(), TANH), "unjudged"),
    "an activation that is not exchanged": (
        (THOROUGH, make.model_profile(layers=(make.layer_profile(activation="other", dead_share=None),))),
        "not_applicable",
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


def test_each_activation_is_tried_at_the_users_rate_and_at_the_winner_of_the_search() -> None:
    tried = [(fix.transforms[0], fix.patch) for fix in fired(check, THOROUGH, RELUS, make.coarse_search()).fixes]
    others = (Transform.GELU_ACTIVATIONS, Transform.LEAKY_RELU, Transform.TANH_ACTIVATIONS)
    assert tried == [*((other, {}) for other in others), *((other, RATE) for other in others)]
    near = make.spec(protocol={"preset": "thorough"}, optimizer={"name": "adam", "lr": 0.0025})
    assert len(fired(check, near, RELUS, make.coarse_search()).fixes) == len(others)
