"""Are there layers that PyTorch does not know of?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.architecture.modules_not_registered import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "layers in a plain list": (
        (make.model_profile(unregistered=("blocks[0]", "blocks[1]")),),
        Severity.ERROR,
        Confidence.HIGH,
        "blocks[0]",
    ),
    "many of them are counted": (
        (make.model_profile(unregistered=tuple(f"blocks[{i}]" for i in range(9))),),
        Severity.ERROR,
        Confidence.HIGH,
        "and 4 more",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a model whose layers are all registered": ((make.model_profile(),), "passed")
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
