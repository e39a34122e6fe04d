"""Is a setting of the optimizer outside the range in which it works?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.optimizer.optimizer_settings_out_of_range import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def spec(**args: object) -> Record:
    return make.spec(optimizer={"args": args})


def adam(**settings: object) -> Record:
    return make.optimizer_profile(settings={"eps": 1e-8, "betas": [0.9, 0.999], "weight_decay": 0.0} | settings)


SGD = make.optimizer_profile(name="SGD", settings={"momentum": 0.999})
DEFAULTS = make.treatments(make.treatment(patch={"optimizer.args": {}}, transforms=()))
WORSE = make.treatments(
    make.treatment(patch={"optimizer.args": {}}, transforms=(), before=(0.9,) * 3, after=(0.8,) * 3)
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a large eps": ((spec(eps=0.1), adam(eps=0.1)), Severity.INFO, Confidence.LOW, "eps of Adam is 0.1"),
    "a large eps, and the default is clearly better": (
        (spec(eps=0.1), adam(eps=0.1), DEFAULTS),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "a large eps, and the default is not better": (
        (spec(eps=0.1), adam(eps=0.1), WORSE),
        Severity.INFO,
        Confidence.LOW,
        "not better",
    ),
    "a beta1 near one": (
        (spec(betas=[0.999, 0.999]), adam(betas=[0.999, 0.999])),
        Severity.INFO,
        Confidence.LOW,
        "beta1",
    ),
    "a small beta2": ((spec(betas=[0.9, 0.5]), adam(betas=[0.9, 0.5])), Severity.INFO, Confidence.LOW, "beta2"),
    "a momentum of 0.999": (
        (make.spec(optimizer={"name": "sgd", "momentum": 0.999}), SGD),
        Severity.INFO,
        Confidence.LOW,
        "momentum",
    ),
    "a weight decay inside plain Adam": ((spec(), adam(weight_decay=0.01)), Severity.INFO, Confidence.LOW, "AdamW"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "the defaults": ((spec(), make.optimizer_profile()), "passed"),
    "beta1 of adversarial training": ((spec(), adam(betas=[0.0, 0.9])), "passed"),
    "beta2 of transformers": ((spec(), adam(betas=[0.9, 0.95])), "passed"),
    "a weight decay inside AdamW": (
        (spec(), make.optimizer_profile(name="AdamW", settings={"weight_decay": 0.1})),
        "passed",
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
