"""Is the model after its whole run better than a guess, and than a simple model?"""

import pytest

from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Outcome
from rules.catalog.training_loop.nothing_learned import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def runs(final: float, *, seeds: int = 3, **changes: object) -> Curves:
    """Runs that end at this validation accuracy, after having been there all along."""
    return make.curves(
        runs=tuple(
            make.curve_run(seed=seed, validation_metric=(final,) * 20, train_metric=(final,) * 20, **changes)
            for seed in range(seeds)
        )
    )


AT_CHANCE = runs(0.11)
NO_SIGNAL = make.baselines(
    scores=(
        {"name": "majority", "train": 0.1, "validation": 0.1025},
        {"name": "linear", "train": 0.3, "validation": 0.11},
        {"name": "knn", "train": None, "validation": 0.12},
    )
)
ONLY_A_NETWORK = make.altered(NO_SIGNAL, {"reference": make.reference(validation=0.9)})
KNN = make.baselines(
    scores=({"name": "linear", "train": 0.6, "validation": 0.6}, {"name": "knn", "train": None, "validation": 0.99})
)
THEIRS = make.curves(
    runs=(*make.curves().runs, make.curve_run(loop="user", validation_metric=(0.1,) * 20, train_metric=(0.1,) * 20))
)
RISING = make.curve_reading(classes=("good_fit", "still_improving"))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "at chance": ((AT_CHANCE, make.baselines()), Severity.ERROR, Confidence.HIGH, "no better than a guess"),
    "at chance, where only a network of ours learns": (
        (AT_CHANCE, ONLY_A_NETWORK),
        Severity.ERROR,
        Confidence.HIGH,
        "while a small perceptron of ours (750 updates) reaches 0.9",
    ),
    "one run alone": (
        (runs(0.11, seeds=1), make.baselines()),
        Severity.ERROR,
        Confidence.MEDIUM,
        "no better than a guess",
    ),
    "in the user's loop only": ((THEIRS, make.baselines()), Severity.ERROR, Confidence.HIGH, "In our loop"),
    "below a linear model": (
        (runs(0.80), make.baselines()),
        Severity.WARNING,
        Confidence.MEDIUM,
        "linear model does better",
    ),
    "below a linear model, and still rising": (
        (runs(0.80, reading=RISING), make.baselines()),
        Severity.INFO,
        Confidence.LOW,
        "still rising",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "learned": ((make.curves(), make.baselines()), "passed"),
    "data without signal": ((AT_CHANCE, NO_SIGNAL), "passed"),
    "a network of ours is no yardstick": (
        (runs(0.94), make.baselines(reference=make.reference(train=1.0, validation=0.99))),
        "passed",
    ),
    "k-NN is no yardstick": ((make.curves(), KNN), "passed"),
    "a point below a linear model": ((runs(0.92), make.baselines()), "passed"),
    "another metric": ((make.curves(), make.baselines(metric="f1")), "unjudged"),
    "no simple model": (
        (make.curves(), make.baselines(scores=({"name": "majority", "train": 0.1, "validation": 0.1},))),
        "unjudged",
    ),
    "diverged: another rule's business": ((runs(0.1, outcome=Outcome.DIVERGED), make.baselines()), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_a_run_that_stayed_at_11_per_cent_for_100_epochs_is_an_error() -> None:
    """A published repair tool reported "no issue" on it (CATALOGUE)."""
    flat = make.curve_run(
        epochs=tuple(float(epoch) for epoch in range(1, 101)),
        validation_metric=(0.11,) * 100,
        train_metric=(0.11,) * 100,
        train_loss=(2.3,) * 100,
        validation_loss=(2.3,) * 100,
        lrs=(1e-3,) * 100,
    )
    curves = make.curves(runs=tuple(make.altered(flat, {"seed": seed}) for seed in range(3)))
    assert fired(check, curves, make.baselines()).severity is Severity.ERROR
