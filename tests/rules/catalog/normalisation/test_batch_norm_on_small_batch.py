"""Does BatchNorm have enough values to take a mean and a variance of?"""

import pytest

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.normalisation.batch_norm_on_small_batch import check
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


PAIRS = make.spec(data={"factory": "project:build_data", "batch_size": 2})
FOURS = make.spec(data={"factory": "project:build_data", "batch_size": 4})
ONES = make.spec(data={"factory": "project:build_data", "batch_size": 1})
FEW = model(norm(values_per_channel=2))
GROUPS = make.treatment(rule="batch-norm-on-small-batch", transforms=(Transform.GROUP_NORM,), before=(0.5, 0.52, 0.51))
IN_VAIN = make.altered(GROUPS, {"after": (0.5, 0.51, 0.5)})
ONE_LEFT = make.data_profile(train=make.split_profile(rows=993, rows_read=993))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "one picture at a time": (
        (ONES, model(norm(values_per_channel=64))),
        Severity.INFO,
        Confidence.LOW,
        "one row at a time",
    ),
    "two values": ((PAIRS, FEW), Severity.INFO, Confidence.LOW, "2 values per channel"),
    "two values, and another loss in eval mode": (
        (PAIRS, FEW, runs(eval=0.9)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "running statistics",
    ),
    "GroupNorm is clearly better": ((PAIRS, FEW, make.treatments(GROUPS)), Severity.WARNING, Confidence.HIGH, "Tried"),
    "two pictures of 64 positions, and another loss in eval mode": (
        (PAIRS, model(norm(values_per_channel=128)), runs(eval=0.9)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "sees 2 rows at a time",
    ),
    "one row is left for the last batch": (
        (make.spec(), model(norm()), make.assumptions(), ONE_LEFT),
        Severity.ERROR,
        Confidence.HIGH,
        "993 training rows",
    ),
    "torch raised": (
        (
            make.spec(),
            model(norm()),
            make.curves(
                runs=(make.curve_run(error=make.user_error(message="Expected more than 1 value per channel")),)
            ),
        ),
        Severity.ERROR,
        Confidence.HIGH,
        "Expected more than 1",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "thirty-two": ((make.spec(), model(norm()), make.curves()), "passed"),
    "small batches of large pictures": ((FOURS, model(norm(values_per_channel=256)), make.curves()), "passed"),
    "one row left over for a convolution": (
        (make.spec(), model(norm(values_per_channel=2048)), make.assumptions(), ONE_LEFT),
        "passed",
    ),
    "the partial batch is dropped": (
        (make.spec(), model(norm()), make.assumptions(updates_per_epoch=31), ONE_LEFT),
        "passed",
    ),
    "GroupNorm is no better": ((PAIRS, FEW, make.treatments(IN_VAIN)), "passed"),
    "frozen": ((PAIRS, model(norm(values_per_channel=2, training_mode=False))), "not_applicable"),
    "no BatchNorm": ((PAIRS, make.model_profile()), "not_applicable"),
    "not counted": ((PAIRS, model(norm(values_per_channel=None))), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
