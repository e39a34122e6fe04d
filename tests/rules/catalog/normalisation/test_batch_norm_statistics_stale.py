"""Do BatchNorm's running statistics fit the trained network?"""

import pytest

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.normalisation.batch_norm_statistics_stale import check
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


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "cured by fresh statistics": ((model(norm()), runs(eval=0.9)), Severity.ERROR, Confidence.HIGH, "0.05"),
    "an odd momentum": (
        (model(norm(momentum=0.001)), runs(eval=0.9)),
        Severity.ERROR,
        Confidence.HIGH,
        "momentum 0.001",
    ),
    "infinite in eval mode": (
        (model(norm()), runs(eval=float("inf"))),
        Severity.ERROR,
        Confidence.HIGH,
        "In eval mode",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "they fit": ((model(norm()), runs(eval=0.055)), "passed"),
    "both near zero": ((model(norm()), runs(train=0.001, eval=0.01, fresh=0.001)), "passed"),
    "fresh statistics do not cure it": ((model(norm()), runs(eval=0.9, fresh=0.9)), "passed"),
    "the first updates": ((model(norm()), runs(eval=0.9, updates=60)), "unjudged"),
    "not compared": ((model(norm()), make.curves()), "unjudged"),
    "no statistics kept": ((model(norm(norm_momentum_tracks=False)), runs(eval=0.9)), "not_applicable"),
    "no BatchNorm": ((make.model_profile(), make.curves()), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_statistics_that_follow_are_tried_first() -> None:
    fixes = fired(check, model(norm()), runs(eval=0.9)).fixes
    assert [fix.transforms for fix in fixes] == [(Transform.TRACK_NORM_STATISTICS,), (Transform.GROUP_NORM,)]
