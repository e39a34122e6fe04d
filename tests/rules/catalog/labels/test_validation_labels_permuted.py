"""Do the labels of validation mean something else than those of training?"""

import pytest

from diagnoser.evidence.preflight import Baselines, Score
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.labels.validation_labels_permuted import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def scored(validation: float, **changes: object) -> Baselines:
    scores = (Score(name="linear", train=0.99, validation=validation),)
    shifted = tuple((label + 1) % 10 for label in range(10))
    return make.baselines(**({"scores": scores, "permutation": shifted} | changes))


def runs(*, training: float, shift: int, seeds: int = 3) -> Curves:
    """A network that is sure of its answers, for three classes of 100 rows, numbered otherwise by `shift`."""
    confusion = tuple(tuple(100 * ((label + shift) % 3 == answer) for answer in range(3)) for label in range(3))
    good = {"train_metric": (training,), "confusion": confusion}
    straight = {"train_metric": (training,), "confusion": ((100, 0, 0), (0, 100, 0), (0, 0, 100))}
    return make.curves(runs=tuple(make.curve_run(seed=s, **(good if s < seeds else straight)) for s in range(3)))


BLIND = scored(0.34, chance=0.34, held_out_training=0.35, best_permuted_validation=0.36)
RENUMBERED = make.treatment(transforms=(Transform.VALIDATION_LABELS_AS_TRAINING,))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "labels shifted by one": (
        (make.data_profile(), scored(0.01, best_permuted_validation=0.93)),
        Severity.ERROR,
        Confidence.HIGH,
        "shifted by 1",
    ),
    "two labels exchanged": (
        (
            make.data_profile(),
            scored(0.75, best_permuted_validation=0.94, permutation=(1, 0, 2, 3, 4, 5, 6, 7, 8, 9)),
        ),
        Severity.ERROR,
        Confidence.MEDIUM,
        "0 → 1, 1 → 0",
    ),
    "where simple models are blind, the network's own answers tell": (
        (make.data_profile(), BLIND, runs(training=0.99, shift=1)),
        Severity.ERROR,
        Confidence.HIGH,
        "shifted by 1",
    ),
    "two labels exchanged, and the user's model says so too": (
        (
            make.data_profile(),
            scored(0.75, best_permuted_validation=0.94, permutation=(1, 0, 2, 3, 4, 5, 6, 7, 8, 9)),
            make.treatments(RENUMBERED),
        ),
        Severity.ERROR,
        Confidence.HIGH,
        "your own model",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "one label map": ((make.data_profile(), make.baselines()), "passed"),
    "a baseline that does not work": (
        (make.data_profile(), scored(0.01, best_permuted_validation=0.2, held_out_training=0.2)),
        "passed",
    ),
    "a network that is right": ((make.data_profile(), BLIND, runs(training=0.99, shift=0)), "passed"),
    "a network that has not learned": ((make.data_profile(), BLIND, runs(training=0.4, shift=1)), "passed"),
    "one seed of three": ((make.data_profile(), BLIND, runs(training=0.99, shift=1, seeds=1)), "passed"),
    "few rows": (
        (
            make.data_profile(targets=make.target_profile(validation_counts=(4,) * 10)),
            scored(0.0, best_permuted_validation=0.93),
        ),
        "unjudged",
    ),
    "regression": ((make.data_profile(), make.baselines(metric="r2")), "not_applicable"),
    "no control": ((make.data_profile(), make.baselines(held_out_training=None)), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
