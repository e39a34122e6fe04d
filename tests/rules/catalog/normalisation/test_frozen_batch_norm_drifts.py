"""Do frozen BatchNorm layers go on changing their statistics?"""

import pytest

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.normalisation.frozen_batch_norm_drifts import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def norm(path: str = "net.1", **changes: object) -> LayerProfile:
    """A BatchNorm behind a linear layer, in batches of 32 rows."""
    made = {"type": "BatchNorm1d", "parameters": 128, "eps": 1e-5, "momentum": 0.1, "values_per_channel": 32}
    return make.layer_profile(path, **(made | changes))


def model(*layers: LayerProfile) -> ModelProfile:
    return make.model_profile(layers=(*make.layers()[:1], *layers, *make.layers()[1:]))


DRIFTING = model(norm(frozen_parameters=128))
KEPT = make.treatment(
    rule="frozen-batch-norm-drifts", transforms=(Transform.FROZEN_NORM_IN_EVAL,), before=(0.6, 0.62, 0.61)
)
IN_VAIN = make.altered(KEPT, {"after": (0.6, 0.61, 0.6)})
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "in train mode": ((DRIFTING,), Severity.INFO, Confidence.HIGH, "1 of 1"),
    "better in eval mode": ((DRIFTING, make.treatments(KEPT)), Severity.WARNING, Confidence.HIGH, "Tried"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "in eval mode": ((model(norm(frozen_parameters=128, training_mode=False)),), "passed"),
    "no better in eval mode": ((DRIFTING, make.treatments(IN_VAIN)), "passed"),
    "not frozen": ((model(norm()),), "not_applicable"),
    "no BatchNorm": ((make.model_profile(),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
