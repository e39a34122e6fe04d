"""Does the model learn its training rows by heart?"""

import pytest

from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity, fix_key
from diagnoser.records import JsonValue, Record
from diagnoser.trials import Transform
from rules.catalog.regularisation.overfitting import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def runs(*, gap: float, drop: float = 0.0, rises: bool = False, rows: int = 400, error: float = 0.0104) -> Curves:
    """Three runs with this gap; the validation loss rises at the end or it does not."""
    reading = make.curve_reading(
        final_gap=gap, drop_since_best=drop, onset_of_overfitting=6.0 if rises else None, classes=("overfit",)
    )
    loss = make.curve_run().validation_loss
    risen = tuple((value or 0.0) + (0.02 * epoch if epoch > 6 else 0.0) for epoch, value in enumerate(loss))
    return make.curves(
        validation_rows=rows,
        standard_error=error,
        runs=tuple(
            make.curve_run(seed=seed, reading=reading, validation_loss=risen if rises else loss) for seed in range(3)
        ),
    )


OVERFIT = runs(gap=0.2, drop=0.04, rises=True)
DECAY = make.treatment(
    rule="overfitting",
    transforms=(),
    patch={"optimizer.weight_decay": 1e-4},
    before=(0.75, 0.76, 0.75),
    after=(0.82, 0.83, 0.82),
)
PATCHES: tuple[dict[str, JsonValue], ...] = ({"optimizer.weight_decay": 1e-4}, {"epochs": 6})
IN_VAIN = tuple(
    make.altered(DECAY, {"after": (0.74, 0.75, 0.74), "patch": patch, "fix": fix_key(patch, ())}) for patch in PATCHES
)
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a gap, and validation gets worse": ((make.spec(), OVERFIT), Severity.WARNING, Confidence.MEDIUM, "from epoch 6"),
    "a gap, and the metric falls": (
        (make.spec(), runs(gap=0.15, drop=0.05)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "validation gets worse",
    ),
    "weight decay helps": ((make.spec(), OVERFIT, make.treatments(DECAY)), Severity.WARNING, Confidence.HIGH, "Tried"),
    "a wide gap alone": ((make.spec(), runs(gap=0.3)), Severity.INFO, Confidence.LOW, "both curves flat"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a healthy gap": ((make.spec(), make.curves()), "passed"),
    "seven points, as healthy runs have": ((make.spec(), runs(gap=0.07, drop=0.03, rises=True)), "passed"),
    "the loss rises, the metric holds its gap": ((make.spec(), runs(gap=0.05, rises=True)), "passed"),
    "a small validation set": ((make.spec(), runs(gap=0.12, drop=0.03, rises=True, rows=60, error=0.05)), "passed"),
    "thirty rows": ((make.spec(), runs(gap=0.5, drop=0.2, rises=True, rows=30, error=0.09)), "unjudged"),
    "a wide gap that regularisation does not close": (
        (make.spec(), runs(gap=0.3), make.treatments(*IN_VAIN)),
        "passed",
    ),
    "a metric without a scale": ((make.spec(), make.curves(metric="mae")), "not_applicable"),
    "no training metric": (
        (make.spec(), make.curves(runs=(make.curve_run(reading=make.curve_reading(final_gap=None)),))),
        "unjudged",
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


PICTURES = make.data_profile(input_kind="image", input_shape=(1, 28, 28))
AUGMENTED = (Transform.SHIFT_PICTURES, Transform.FLIP_PICTURES, Transform.ROTATE_PICTURES)
TRIED: dict[str, tuple[tuple[Record, ...], tuple[Transform, ...]]] = {
    "pictures": ((make.spec(), PICTURES), AUGMENTED),
    "pictures that are augmented already": (
        (make.spec(data=make.spec().data.model_copy(update={"plain_args": {"augment": False}})), PICTURES),
        (),
    ),
    "tiny pictures": ((make.spec(), make.data_profile(input_kind="image", input_shape=(1, 4, 4))), ()),
    "a table": ((make.spec(), make.data_profile()), ()),
    "a model without dropout": ((make.spec(), make.model_profile()), (Transform.INSERT_DROPOUT,)),
    "a model with dropout": (
        (make.spec(), make.model_profile(layers=(*make.layers(), make.layer_profile("drop", dropout=0.3)))),
        (),
    ),
    "a linear model": ((make.spec(), make.model_profile(weight_layers=1)), ()),
}


@pytest.mark.parametrize(("records", "wanted"), TRIED.values(), ids=TRIED)
def test_each_augmentation_and_dropout_are_fixes_of_their_own(
    records: tuple[Record, ...], wanted: tuple[Transform, ...]
) -> None:
    fixes = fired(check, *records, OVERFIT).fixes
    assert [fix.transforms for fix in fixes if fix.transforms] == [(transform,) for transform in wanted]


def test_a_verified_augmentation_makes_the_hint_a_warning() -> None:
    shifted = make.altered(
        DECAY, {"patch": {}, "transforms": (Transform.SHIFT_PICTURES,), "fix": fix_key({}, (Transform.SHIFT_PICTURES,))}
    )
    finding = fired(check, make.spec(), runs(gap=0.3), PICTURES, make.treatments(shifted))
    assert (finding.severity, finding.confidence) == (Severity.WARNING, Confidence.HIGH)
