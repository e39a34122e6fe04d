"""Does dropout give BatchNorm another variance in training than in evaluation?"""

import pytest

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.normalisation.dropout_before_batch_norm import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def norm(path: str = "net.1", **changes: object) -> LayerProfile:
    """A BatchNorm behind a linear layer, in batches of 32 rows."""
    made = {"type": "BatchNorm1d", "parameters": 128, "eps": 1e-5, "momentum": 0.1, "values_per_channel": 32}
    return make.layer_profile(path, **(made | changes))


def model(*layers: LayerProfile) -> ModelProfile:
    return make.model_profile(layers=(*make.layers()[:1], *layers, *make.layers()[1:]))


def runs(*, train: float = 0.05, eval: float, fresh: float = 0.05, **changes: object) -> Curves:
    """Three runs with these losses on one batch."""
    modes = {"train_mode_loss": train, "eval_mode_loss": eval, "recalibrated_loss": fresh}
    return make.curves(runs=tuple(make.curve_run(seed=seed, **modes, **changes) for seed in range(3)))


DROP = make.layer_profile("drop", type="Dropout", parameters=0, dropout=0.5)
BEFORE = model(DROP, norm())
WITHOUT = make.treatment(rule="dropout-before-batch-norm", transforms=(Transform.NO_DROPOUT,), before=(0.5, 0.52, 0.51))
MOVED = make.altered(WITHOUT, {"transforms": (Transform.MOVE_DROPOUT,)})
IN_VAIN = make.altered(WITHOUT, {"after": (0.5, 0.51, 0.5)})
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "another loss in eval mode": ((BEFORE, runs(eval=0.9)), Severity.INFO, Confidence.LOW, "drops values before"),
    "better behind": ((BEFORE, runs(eval=0.9), make.treatments(MOVED)), Severity.WARNING, Confidence.HIGH, "Tried"),
    "better without": ((BEFORE, runs(eval=0.9), make.treatments(WITHOUT)), Severity.WARNING, Confidence.HIGH, "Tried"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "no gap": ((BEFORE, runs(eval=0.055)), "passed"),
    "both near zero": ((BEFORE, runs(train=0.001, eval=0.01)), "passed"),
    "no better without": ((BEFORE, runs(eval=0.9), make.treatments(IN_VAIN)), "passed"),
    "dropout behind the last BatchNorm": ((model(norm(), DROP), runs(eval=0.9)), "not_applicable"),
    "no BatchNorm": ((model(DROP), runs(eval=0.9)), "not_applicable"),
    "not compared": ((BEFORE, make.curves()), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_dropout_is_moved_before_it_is_given_up() -> None:
    tried = [fix.transforms for fix in fired(check, BEFORE, runs(eval=0.9)).fixes]
    assert tried == [(Transform.MOVE_DROPOUT,), (Transform.NO_DROPOUT,)]
