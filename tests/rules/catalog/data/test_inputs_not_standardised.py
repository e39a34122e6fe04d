"""Do the inputs come in a scale that makes training slow or unstable?"""

from math import nan

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.data.inputs_not_standardised import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

RAW = make.data_profile(train=make.split_profile(mean=1425.0, std=2000.0))
STANDARDISED = (Transform.STANDARDISE_INPUTS,)
NEEDS_IT = make.overfit(
    attempts=(make.stuck_attempt(), make.stuck_attempt(lr=1e-4), make.small_set_attempt(control="standardised_inputs"))
)
HELPED = make.treatments(make.treatment(transforms=STANDARDISED))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "raw columns are a hint": ((RAW,), Severity.INFO, Confidence.LOW, "std 2e+03"),
    "raw columns that the small set cannot bear are a warning": (
        (RAW, NEEDS_IT),
        Severity.WARNING,
        Confidence.MEDIUM,
        "at no learning rate",
    ),
    "raw columns whose standardising helped are a warning for sure": (
        (RAW, HELPED),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly better",
    ),
    "raw columns that send the first loss far off are a warning for sure": (
        (RAW, make.initial_loss(observed=(9.9, 11.0, 10.2, 9.8, 10.5), standardised=(2.31, 2.29, 2.33))),
        Severity.WARNING,
        Confidence.HIGH,
        "once they are standardised",
    ),
    "scaled by 255 twice": (
        (make.data_profile(train=make.split_profile(mean=0.002, std=0.001), on_grid_255_squared=True),),
        Severity.INFO,
        Confidence.LOW,
        "255 twice",
    ),
    "uneven columns alone stay a hint, whatever the small set says": (
        (make.data_profile(column_std_ratio=11_400.0), NEEDS_IT),
        Severity.INFO,
        Confidence.LOW,
        "11,400 times",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "z-scored inputs": ((make.data_profile(),), "passed"),
    "pictures in 0..1": ((make.data_profile(train=make.split_profile(mean=0.13, std=0.31)),), "passed"),
    "tokens": ((make.data_profile(input_kind="tokens"),), "not_applicable"),
    "one-hot columns": ((make.data_profile(fraction_one_hot=1.0),), "not_applicable"),
    "a model that normalises first": ((RAW, make.model_profile(starts_with_normalisation=True)), "not_applicable"),
    "inputs with NaN": ((make.data_profile(train=make.split_profile(mean=nan, std=nan)),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
