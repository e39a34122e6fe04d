"""Do the labels belong to their rows?"""

import pytest

from diagnoser.evidence.preflight import Score
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.labels.features_misaligned_with_labels import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

CHANCE = make.baselines(
    scores=(Score(name="linear", train=0.3, validation=0.11), Score(name="knn", train=None, validation=0.09)),
    held_out_training=0.1,
)
SAME = make.altered(CHANCE, {"reference": make.reference(validation=0.11, held_out_training=0.12)})
LEARNED = make.altered(CHANCE, {"reference": make.reference()})
LOST = make.curves(runs=tuple(make.curve_run(seed=seed, validation_metric=(0.09, 0.11, 0.1)) for seed in range(3)))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "nothing predicts the labels, and the small set is memorised": (
        (CHANCE, make.overfit(), LOST),
        Severity.ERROR,
        Confidence.MEDIUM,
        "shuffled apart",
    ),
    "nor does a small network of ours": (
        (SAME, make.overfit(), LOST),
        Severity.ERROR,
        Confidence.MEDIUM,
        "neighbours, a small perceptron of ours (750 updates) and the network itself",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "simple models find signal": ((make.baselines(),), "passed"),
    "our small network finds signal": ((LEARNED, make.overfit(), LOST), "passed"),
    "only the network finds signal": ((CHANCE, make.overfit(), make.curves()), "passed"),
    "a network that cannot memorise either": (
        (CHANCE, make.overfit(attempts=(make.stuck_attempt(),)), LOST),
        "unjudged",
    ),
    "no run": ((CHANCE, make.overfit()), "unjudged"),
    "thirty rows": ((CHANCE, make.overfit(), make.curves(validation_rows=30)), "unjudged"),
    "a metric without chance": ((make.baselines(metric="mae"),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
