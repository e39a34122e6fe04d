"""Are there labels that the model has no output for?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.labels.labels_out_of_range import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

KNOWN, DATA = make.assumptions(), make.data_profile()
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a label too far": (
        (KNOWN, DATA, make.loss_profile(label_out_of_range=(10,))),
        Severity.ERROR,
        Confidence.HIGH,
        "outside 0 to 9",
    ),
    "labels of -1 in binary cross-entropy": (
        (make.assumptions(loss_family="bce_with_logits"), DATA, make.loss_profile(label_out_of_range=(-1,))),
        Severity.ERROR,
        Confidence.HIGH,
        "0 or 1",
    ),
    "a head of a thousand for ten labels is a remark": (
        (make.assumptions(classes=1000), DATA, make.loss_profile()),
        Severity.INFO,
        Confidence.LOW,
        "1000 outputs",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "ten labels, ten outputs": ((KNOWN, DATA, make.loss_profile()), "passed"),
    "one spare output": ((make.assumptions(classes=11), DATA, make.loss_profile()), "passed"),
    "a vocabulary": (
        (make.assumptions(task="language_model", classes=50_000), DATA, make.loss_profile()),
        "passed",
    ),
    "a loss inside a step": ((KNOWN, DATA, make.loss_profile(because_unjudged="inside a step")), "unjudged"),
    "real targets": (
        (KNOWN, make.data_profile(targets=make.target_profile(kind="real")), make.loss_profile()),
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


@pytest.mark.parametrize(
    ("distinct", "outputs", "wanted"), [(10, 10, (Transform.RELABEL,)), (3, 10, (Transform.RELABEL,)), (11, 10, ())]
)
def test_labels_are_renumbered_by_machine_where_the_model_has_enough_outputs(
    distinct: int, outputs: int, wanted: tuple[Transform, ...]
) -> None:
    data = make.data_profile(targets=make.target_profile(distinct=distinct))
    (fix,) = fired(check, make.assumptions(classes=outputs), data, make.loss_profile(label_out_of_range=(10,))).fixes
    assert fix.transforms == wanted
    assert fix.advice is not None
