"""Would a smaller model, or a simple one, generalise better?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.architecture.model_too_large_for_data import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

MODEL = make.model_profile()
SPEC = make.spec()
WIDTH = make.spec(model={"factory": "project:build_model", "args": {"hidden": [512, 512]}})
GAP = make.curves(
    runs=tuple(
        make.curve_run(
            seed=s, validation_metric=(0.6, 0.7), reading=make.curve_reading(classes=("overfit",), final_gap=0.3)
        )
        for s in range(3)
    )
)
HALF = {"model.args.hidden": [256, 256]}
HELPED = make.treatments(make.treatment(patch=HALF, transforms=(), before=(0.7, 0.7, 0.71), after=(0.8, 0.8, 0.81)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a linear model does better": ((SPEC, MODEL, GAP, make.baselines()), Severity.INFO, Confidence.LOW, "0.955"),
    "a width that can be halved": ((WIDTH, MODEL, GAP), Severity.INFO, Confidence.LOW, "30.0%"),
    "half the width is clearly better": ((WIDTH, MODEL, GAP, HELPED), Severity.WARNING, Confidence.HIGH, "Tried"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a small gap": ((WIDTH, MODEL, make.curves(), make.baselines()), "passed"),
    "a gap, and neither a better simple model nor a width": ((SPEC, MODEL, GAP), "passed"),
    "half the width is no better": (
        (
            WIDTH,
            MODEL,
            GAP,
            make.treatments(make.treatment(patch=HALF, transforms=(), before=(0.7, 0.7, 0.7), after=(0.6, 0.6, 0.6))),
        ),
        "passed",
    ),
    "a metric without a scale": ((SPEC, MODEL, make.curves(metric="perplexity")), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
