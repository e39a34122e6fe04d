"""Do Dropout and BatchNorm stay in eval mode while the model is trained?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.training_loop.training_in_eval_mode import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

NORM = make.layer_profile("net.1", type="BatchNorm1d", momentum=0.1, eps=1e-5)
DROP = make.layer_profile("net.2", type="Dropout", parameters=0, dropout=0.2)
MODEL = make.model_profile(layers=(make.layer_profile("net.0"), NORM, DROP))
BORN = make.model_profile(
    layers=tuple(make.altered(layer, {"training_mode": False}) for layer in MODEL.layers),
    eval_mode_from_factory=("net.1", "net.2"),
)
LATER = make.loop_audit(second_epoch_modes=(False,) * 8, modules_in_eval_while_training=("net.1", "net.2"))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "after an evaluation": ((MODEL, LATER), Severity.ERROR, Confidence.HIGH, "after an evaluation"),
    "from the factory on": ((BORN,), Severity.ERROR, Confidence.HIGH, "from the factory"),
    "BatchNorm and the whole model after an evaluation": (
        (MODEL, make.loop_audit(second_epoch_modes=(False,) * 8, modules_in_eval_while_training=("net.1",))),
        Severity.ERROR,
        Confidence.HIGH,
        "net.1",
    ),
    "BatchNorm alone, on purpose": (
        (MODEL, make.loop_audit(modules_in_eval_while_training=("net.1",))),
        Severity.INFO,
        Confidence.HIGH,
        "may be meant",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "in train mode": ((MODEL, make.loop_audit()), "passed"),
    "the loop puts it right": ((BORN, make.loop_audit()), "passed"),
    "nothing depends on the mode": (
        (make.model_profile(), make.loop_audit(second_epoch_modes=(False,) * 8)),
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
