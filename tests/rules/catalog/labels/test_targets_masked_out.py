"""Does the loss leave out a class?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import JsonValue, Record
from diagnoser.spec.fields import Loss
from rules.catalog.labels.targets_masked_out import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SPEC, KNOWN, DATA = make.spec(), make.assumptions(), make.data_profile()
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "class 0 is ignored": (
        (SPEC, KNOWN, DATA, make.loss_profile(ignored_class=0)),
        Severity.ERROR,
        Confidence.HIGH,
        "Class 0, 99 training rows",
    ),
    "class 3 weighs nothing": (
        (SPEC, KNOWN, DATA, make.loss_profile(zero_weight_classes=(3,))),
        Severity.ERROR,
        Confidence.HIGH,
        "weight of 0",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "every class counts": ((SPEC, KNOWN, DATA, make.loss_profile()), "passed"),
    "a weightless class that never occurs": (
        (SPEC, KNOWN, DATA, make.loss_profile(zero_weight_classes=(10,))),
        "passed",
    ),
    "a loss inside a step": ((SPEC, KNOWN, DATA, make.loss_profile(because_unjudged="inside a step")), "unjudged"),
    "padding": (
        (SPEC, make.assumptions(task="language_model"), DATA, make.loss_profile(ignored_class=0)),
        "not_applicable",
    ),
    "real targets": (
        (SPEC, KNOWN, make.data_profile(targets=make.target_profile(kind="real")), make.loss_profile()),
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


PATCHES: dict[str, tuple[dict[str, JsonValue], Record, dict[str, JsonValue]]] = {
    "nothing is ignored": (
        {"ignore_index": 0},
        make.loss_profile(ignored_class=0),
        {"loss.args.ignore_index": -100},
    ),
    "the class weighs as much as the heaviest": (
        {"weight": [1.0, 2.0, 0.0]},
        make.loss_profile(zero_weight_classes=(2,)),
        {"loss.args.weight": [1.0, 2.0, 2.0]},
    ),
    "set in the user's code": ({}, make.loss_profile(ignored_class=0), {}),
}


@pytest.mark.parametrize(("args", "loss", "patch"), PATCHES.values(), ids=PATCHES)
def test_the_setting_of_the_spec_is_changed_by_machine(
    args: dict[str, JsonValue], loss: Record, patch: dict[str, JsonValue]
) -> None:
    spec = make.spec(loss=Loss(name="cross_entropy", args=args))
    (fix,) = fired(check, spec, KNOWN, DATA, loss).fixes
    assert fix.patch == patch
