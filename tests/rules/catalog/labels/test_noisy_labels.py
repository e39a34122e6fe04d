"""Are labels wrong: do equal inputs contradict one another, or training rows what is learned from the others?"""

import pytest

from diagnoser.evidence.preflight import Baselines, Score
from diagnoser.findings import Confidence, Severity
from diagnoser.records import JsonValue, Record
from diagnoser.spec.fields import Loss, TrainingSpec
from rules.catalog.labels.noisy_labels import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC, KNOWN = make.spec(), make.assumptions()
STEADY = make.data_profile(training_rows_drawn=False)
DRAWN = make.data_profile(training_rows_drawn=True)


def simple(validation: float, held_out: float) -> Baselines:
    return make.baselines(
        scores=(Score(name="linear", train=0.9, validation=validation),),
        held_out_training=held_out,
        standard_error=0.01,
    )


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a tenth of the rows contradict": (
        (SPEC, make.data_profile(contradiction_share=0.1), KNOWN),
        Severity.WARNING,
        Confidence.HIGH,
        "100 training rows",
    ),
    "unseen training rows are far harder than validation": (
        (SPEC, STEADY, KNOWN, simple(0.9, 0.5)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "90.0% of the validation rows",
    ),
    "a small table is ambiguous by nature": (
        (SPEC, make.data_profile(contradiction_share=0.3, duplicate_share_by_chance=0.6), KNOWN),
        Severity.INFO,
        Confidence.MEDIUM,
        "nature of the task",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "consistent labels": ((SPEC, make.data_profile(), KNOWN), "passed"),
    "a little harder": ((SPEC, STEADY, KNOWN, simple(0.9, 0.85)), "passed"),
    "harder, and too few rows to be sure": (
        (SPEC, STEADY, KNOWN, make.altered(simple(0.9, 0.7), {"standard_error": 0.04})),
        "passed",
    ),
    "augmented, which is harder by intent": ((SPEC, DRAWN, KNOWN, simple(0.9, 0.5)), "passed"),
    "other classes in validation": (
        (
            SPEC,
            make.altered(STEADY, {"targets": make.target_profile(validation_counts=(400, *(0,) * 9))}),
            KNOWN,
            simple(0.9, 0.5),
        ),
        "passed",
    ),
    "text": (
        (SPEC, make.data_profile(contradiction_share=0.4), make.assumptions(task="language_model")),
        "not_applicable",
    ),
    "real targets": (
        (SPEC, make.data_profile(targets=make.target_profile(kind="real"), contradiction_share=0.4), KNOWN),
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


SMOOTHED: dict[str, tuple[TrainingSpec, dict[str, JsonValue] | None]] = {
    "named": (make.spec(loss=Loss(name="cross_entropy")), {"loss.args.label_smoothing": 0.1}),
    "suggested by the task": (
        make.spec(loss=None),
        {"loss": {"name": "cross_entropy", "args": {"label_smoothing": 0.1}}},
    ),
    "smoothed already": (make.spec(loss=Loss(name="cross_entropy", args={"label_smoothing": 0.05})), None),
    "inside a step": (make.spec(loss=None, step="project:step"), None),
}


@pytest.mark.parametrize(("spec", "patch"), SMOOTHED.values(), ids=SMOOTHED)
def test_label_smoothing_is_tried_where_the_loss_is_cross_entropy(
    spec: TrainingSpec, patch: dict[str, JsonValue] | None
) -> None:
    tried = [
        fix for fix in fired(check, spec, make.data_profile(contradiction_share=0.1), KNOWN).fixes if fix.can_be_tried
    ]
    assert [fix.patch for fix in tried] == ([] if patch is None else [patch])
