"""Do the inputs hold NaN or infinity?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.data.inputs_non_finite import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

BAD = make.split_profile(non_finite_values=17, non_finite_rows=(3, 8), non_finite_columns=(5,))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "NaN in training": ((make.data_profile(train=BAD),), Severity.ERROR, Confidence.HIGH, "rows 3, 8 columns 5"),
    "NaN in validation": (
        (make.data_profile(validation=BAD),),
        Severity.ERROR,
        Confidence.HIGH,
        "17 validation inputs",
    ),
    "NaN that the model masks is a remark": (
        (make.data_profile(train=BAD), make.curves()),
        Severity.INFO,
        Confidence.HIGH,
        "stays finite",
    ),
    "NaN that ends the run": (
        (make.data_profile(train=BAD), make.curves(runs=(make.curve_run(outcome="diverged"),))),
        Severity.ERROR,
        Confidence.HIGH,
        "17",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "finite inputs": ((make.data_profile(),), "passed"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_filling_them_is_tried_unless_the_model_masks_them() -> None:
    assert (Transform.IMPUTE_INPUTS,) in [fix.transforms for fix in fired(check, make.data_profile(train=BAD)).fixes]
    masked = fired(check, make.data_profile(train=BAD), make.curves())
    assert not any(fix.can_be_tried for fix in masked.fixes)
