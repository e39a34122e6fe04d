"""Are layers frozen that were never trained?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.training_loop.layers_frozen_by_accident import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FROZEN = make.model_profile(frozen_parameters=8320, frozen_are_random_share=1.0)
TRIED = make.treatment(rule="layers-frozen-by-accident", transforms=(Transform.UNFREEZE,), before=(0.5, 0.52, 0.51))
IN_VAIN = make.altered(TRIED, {"after": (0.5, 0.51, 0.5)})
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "random and frozen": ((FROZEN,), Severity.WARNING, Confidence.MEDIUM, "93%"),
    "better when trained": ((FROZEN, make.treatments(TRIED)), Severity.WARNING, Confidence.HIGH, "Tried"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "nothing frozen": ((make.model_profile(),), "not_applicable"),
    "pretrained layers": ((make.model_profile(frozen_parameters=8320, frozen_are_random_share=0.0),), "passed"),
    "a small frozen part": ((make.model_profile(frozen_parameters=650, frozen_are_random_share=1.0),), "passed"),
    "random features that do as well": ((FROZEN, make.treatments(IN_VAIN)), "passed"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
