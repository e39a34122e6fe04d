"""Is the gradient that autograd gives the slope of the loss?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.numerical.wrong_custom_gradient import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC = make.spec()
OFF = (0.5, 0.3, 0.2, 0.4)
CUSTOM = make.gradient_check(relative_errors=OFF, suspects=("Scale",), worst_layer="net.2")
DETACHED = make.gradient_check(relative_errors=OFF, suspects=("detach",))
STUCK = make.overfit(attempts=tuple(make.stuck_attempt(seed=seed) for seed in range(3)))
LEVEL = make.altered(CUSTOM, {"flat_layer": "net.0"})
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a custom function, nothing learned": ((CUSTOM, STUCK), Severity.ERROR, Confidence.HIGH, "`Scale`"),
    "a custom function, nothing else measured": ((CUSTOM,), Severity.ERROR, Confidence.HIGH, "net.2"),
    "behind a step another slope is the only one": (
        (LEVEL, make.overfit()),
        Severity.INFO,
        Confidence.LOW,
        "on purpose",
    ),
    "and where nothing is learned it is blamed": ((LEVEL, STUCK), Severity.ERROR, Confidence.HIGH, "`Scale`"),
    "a function whose gradient is not its slope learns all the same": (
        (CUSTOM, make.overfit()),
        Severity.WARNING,
        Confidence.MEDIUM,
        "`Scale`",
    ),
    "a detached tensor, nothing learned": ((DETACHED, STUCK), Severity.ERROR, Confidence.MEDIUM, "detached"),
    "a stop-gradient on purpose": ((DETACHED, make.overfit()), Severity.INFO, Confidence.LOW, "detached"),
    "nobody to blame": ((make.gradient_check(relative_errors=OFF), STUCK), Severity.ERROR, Confidence.HIGH, "4 of 4"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "right": ((make.gradient_check(), make.overfit()), "passed"),
    "one kink": ((make.gradient_check(relative_errors=(1e-9, 0.05, 1e-8, 1e-9)),), "passed"),
    "no direction": ((make.gradient_check(relative_errors=(), directions=()),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, SPEC, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, SPEC, *records) == answer


def test_a_stop_gradient_in_a_step_of_the_users_own_is_a_hint() -> None:
    finding = fired(check, make.spec(step="project:step"), DETACHED, STUCK)
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.LOW)
