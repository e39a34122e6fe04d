"""Does the loss fit the kind of answer that the targets ask for?"""

import pytest

from diagnoser.evidence.preflight import DataProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.loss.loss_unfit_for_task import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def targets(**changes: object) -> DataProfile:
    return make.data_profile(targets=make.target_profile(**changes))


SIGMOID = make.model_profile(output=make.output_profile(within_unit_interval=True, final_operation="Sigmoid"))
SQUARES = make.assumptions(task="binary", classes=1, loss="mse_loss", loss_family="mse")
BCE = make.assumptions(loss="binary_cross_entropy", loss_family="bce", task="regression", classes=1)
YES_NO = targets(kind="binary", distinct=2, minimum=0, maximum=1)
HELPED = make.treatments(make.treatment(transforms=(), patch={"loss": "binary_cross_entropy"}))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "several labels under softmax": (
        (
            make.assumptions(task="multilabel"),
            targets(kind="multilabel", row_sum_is_one_share=0.2),
            make.loss_profile(),
        ),
        Severity.ERROR,
        Confidence.HIGH,
        "80% of the rows",
    ),
    "BCE on ten class numbers": (
        (BCE, targets(), make.loss_profile(applies_softmax=False)),
        Severity.ERROR,
        Confidence.HIGH,
        "from 0 to 9",
    ),
    "cross-entropy on prices": (
        (make.assumptions(), targets(kind="real", distinct=800)),
        Severity.ERROR,
        Confidence.HIGH,
        "800 different",
    ),
    "squared error on yes or no": ((SQUARES, YES_NO, SIGMOID), Severity.INFO, Confidence.LOW, "2 classes"),
    "squared error on yes or no, and cross-entropy is better": (
        (SQUARES, YES_NO, SIGMOID, HELPED),
        Severity.WARNING,
        Confidence.HIGH,
        "clearly",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "cross-entropy on classes": ((make.assumptions(), targets()), "passed"),
    "squared error on numbers": ((SQUARES, targets(kind="real", distinct=800)), "passed"),
    "soft labels": (
        (make.assumptions(), targets(kind="real", distinct=800, row_sum_is_one_share=1.0)),
        "passed",
    ),
    "several labels, each with a sigmoid": (
        (
            make.assumptions(task="multilabel", loss_family="bce"),
            targets(kind="multilabel", row_sum_is_one_share=0.2),
            make.loss_profile(applies_softmax=False, targets_within_unit_interval=True),
        ),
        "passed",
    ),
    "a step of the user's own": ((make.assumptions(task="custom"), targets()), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
