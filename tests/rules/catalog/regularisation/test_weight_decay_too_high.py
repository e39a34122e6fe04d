"""Does weight decay hold the weights down more than the data pulls them up?"""

import pytest

from diagnoser.evidence.steps import CoarseSearch
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.regularisation.weight_decay_too_high import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec(optimizer={"weight_decay": 0.5})


def search(own: float, *lighter: float, lr: float = 1e-3) -> CoarseSearch:
    """The user's configuration beside some with a tenth of the weight decay and less."""
    return make.coarse_search(
        trials=(
            make.search_trial(values={"optimizer.lr": 1e-3, "optimizer.weight_decay": 0.5}, validation_metric=own),
            *(
                make.search_trial(
                    values={"optimizer.lr": lr, "optimizer.weight_decay": 0.05 / 10**place}, validation_metric=metric
                )
                for place, metric in enumerate(lighter)
            ),
        ),
        best=1,
        user=0,
    )


BLOCKED = make.overfit(attempts=(*make.overfit().attempts[:3], make.stuck_attempt(regularised=True)))
SHRUNK = make.curves(runs=tuple(make.curve_run(seed=s, weight_norm_start=6.8, weight_norm_end=1.0) for s in range(3)))
LOWER = make.treatment(
    rule="weight-decay-too-high", transforms=(), patch={"optimizer.weight_decay": 0.05}, before=(0.5, 0.52, 0.51)
)
IN_VAIN = make.altered(LOWER, {"after": (0.5, 0.51, 0.5)})
OPEN = make.altered(LOWER, {"after": (0.6, 0.51, 0.56)})
OWN = {"optimizer.lr": 1e-3, "optimizer.weight_decay": 0.5}
NONE = {"optimizer.lr": 1e-3, "optimizer.weight_decay": 0.0}
HALVING = make.coarse_search(
    trials=(
        make.search_trial(values=OWN, validation_metric=0.55),
        make.search_trial(values=NONE, validation_metric=0.88),
        make.search_trial(values=OWN, rung=1, updates=400, validation_metric=0.60),
    ),
    best=2,
    user=2,
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "runs of equal length are compared": ((SPEC, HALVING), Severity.INFO, Confidence.LOW, "reaches 0.88"),
    "one lighter run has no spread": ((SPEC, search(0.60, 0.90), make.curves()), Severity.INFO, Confidence.LOW, "0.05"),
    "the lighter runs differ as much from one another": (
        (SPEC, search(0.77, 0.83, 0.78, 0.95), make.curves()),
        Severity.INFO,
        Confidence.LOW,
        "0.05",
    ),
    "a tenth and less is better in the search": (
        (SPEC, search(0.60, 0.90, 0.91, 0.92), make.curves()),
        Severity.WARNING,
        Confidence.MEDIUM,
        "0.05",
    ),
    "better in one run of the search, open over paired seeds": (
        (SPEC, search(0.60, 0.90, 0.91, 0.92), make.curves(), make.treatments(OPEN)),
        Severity.INFO,
        Confidence.LOW,
        "0.05",
    ),
    "and over paired seeds": (
        (SPEC, search(0.60, 0.90), make.treatments(LOWER)),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "the small set is learned only without it": (
        (SPEC, BLOCKED),
        Severity.WARNING,
        Confidence.MEDIUM,
        "memorised without",
    ),
    "the weights only shrink": ((SPEC, make.overfit(), SHRUNK), Severity.INFO, Confidence.LOW, "shrink"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "as good as a tenth": ((SPEC, search(0.93, 0.935), make.overfit(), make.curves()), "passed"),
    "better at another lr": ((SPEC, search(0.60, 0.90, lr=3e-3)), "passed"),
    "tried in vain": ((SPEC, search(0.90, 0.93), make.treatments(IN_VAIN)), "passed"),
    "slow, but on its way": (
        (
            SPEC,
            make.overfit(
                attempts=(*make.overfit().attempts[:3], make.stuck_attempt(regularised=True, still_falling=True))
            ),
        ),
        "passed",
    ),
    "none": ((make.spec(), make.overfit()), "not_applicable"),
    "not measured": ((SPEC,), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
