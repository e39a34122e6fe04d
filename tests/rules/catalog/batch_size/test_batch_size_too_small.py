"""Is the gradient of one batch little more than noise?"""

import pytest

from diagnoser.evidence.batch_size import GradientNoise, Noise
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.batch_size.batch_size_too_small import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def spec(batch: int = 4, **changes: object) -> Record:
    return make.spec(data={"factory": "project:build_data", "batch_size": batch}, **changes)


def noise(*ratios: float, later: tuple[float, ...] | None = None, name: str = "Adam") -> Record:
    return make.optimizer_profile(name=name, gradient_noise=make.gradient_noise(*ratios, later=later))


def _zero() -> GradientNoise:
    return make.gradient_noise(looks=(Noise(updates=0, variance=(0.0,) * 3, mean_square=(0.0,) * 3),))


DATA = make.data_profile()
LONG = make.assumptions(total_updates=5000)
NOISY = noise(30.0, 40.0, 25.0)
ADAM: dict[str, object] = {"data.batch_size": 16, "optimizer.lr": 0.002}
TOLD = {"transforms": (), "before": (0.6, 0.61, 0.6)}
HELPED = make.treatments(make.treatment(patch=ADAM, **{**TOLD, "after": (0.8, 0.8, 0.81)}))
LITTLE = make.treatments(make.treatment(patch=ADAM, **{**TOLD, "after": (0.615, 0.625, 0.615)}))
IN_VAIN = make.treatments(make.treatment(patch=ADAM, **{**TOLD, "after": (0.6, 0.61, 0.6)}))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, dict[str, object]]] = {
    "noise at both looks is a hint": ((spec(), NOISY, LONG, DATA), Severity.INFO, Confidence.LOW, ADAM),
    "two initialisations of three": (
        (spec(), noise(30.0, 4.0, 25.0), LONG, DATA),
        Severity.INFO,
        Confidence.LOW,
        ADAM,
    ),
    "four times the rows are clearly better": (
        (spec(), NOISY, LONG, DATA, HELPED),
        Severity.WARNING,
        Confidence.HIGH,
        ADAM,
    ),
    "four times the rows gain little": ((spec(), NOISY, LONG, DATA, LITTLE), Severity.INFO, Confidence.LOW, ADAM),
    "under plain SGD the lr grows with the rows": (
        (spec(), noise(30.0, 40.0, 25.0, name="SGD"), LONG, DATA),
        Severity.INFO,
        Confidence.LOW,
        {"data.batch_size": 16, "optimizer.lr": 0.004},
    ),
    "a run in steps sees as many rows": (
        (spec(steps=5000, epochs=None), NOISY, LONG, DATA),
        Severity.INFO,
        Confidence.LOW,
        {**ADAM, "steps": 1250},
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy run": ((make.spec(), make.optimizer_profile(), make.assumptions(), DATA), "passed"),
    "a batch of four whose rows agree": ((spec(), noise(3.0, 2.0, 5.0), LONG, DATA), "passed"),
    "noisy at the start alone": ((spec(), noise(30.0, 40.0, 25.0, later=(2.0, 3.0, 2.0)), LONG, DATA), "passed"),
    "noisy once something was learned": (
        (spec(), noise(0.3, 0.2, 0.4, later=(30.0, 40.0, 25.0)), LONG, DATA),
        "passed",
    ),
    "one initialisation of three": ((spec(), noise(30.0, 4.0, 2.0), LONG, DATA), "passed"),
    "noise that accumulation takes away": ((spec(accumulate_batches=4), NOISY, LONG, DATA), "passed"),
    "too few updates would be left": ((spec(), NOISY, make.assumptions(), DATA), "passed"),
    "too few rows for larger batches": ((spec(32), NOISY, LONG, DATA), "passed"),
    "no gradient at all": ((spec(), make.optimizer_profile(gradient_noise=_zero()), LONG, DATA), "passed"),
    "larger batches were tried in vain": ((spec(), NOISY, LONG, DATA, IN_VAIN), "passed"),
    "only one initialisation was looked at": ((spec(), noise(30.0), LONG, DATA), "unjudged"),
    "not measured": ((spec(), make.optimizer_profile(gradient_noise=None), LONG, DATA), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "patch"), FIRES.values(), ids=FIRES)
def test_fires(
    records: tuple[Record, ...], severity: Severity, confidence: Confidence, patch: dict[str, object]
) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert finding.fixes[0].patch == patch
    assert "Batches of 4 are mostly noise" in (finding.title or "")


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
