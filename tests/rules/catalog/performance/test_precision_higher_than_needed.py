"""Does the device spend its time on digits that training does not need?"""

import pytest

from diagnoser.evidence.batch_size import Speed
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.performance.precision_higher_than_needed import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def on(half: float | None, *, rounds: int = 3, **seen: object) -> Record:
    """An accelerator whose step takes 10 ms in float32, and so long in bfloat16."""
    timed = None if half is None else make.speed(32, half, precision="bfloat16", rounds=rounds)
    return make.system_profile(device="cuda:0", throughput=make.throughput(bfloat16=timed, **seen))


def _unsteady() -> Record:
    half = Speed(batch_size=32, precision="bfloat16", seconds=(0.005, 0.009, 0.005))
    return make.system_profile(device="cuda:0", throughput=make.throughput(bfloat16=half))


def tried(*after: float) -> Record:
    patch = {"precision": "bfloat16"}
    return make.treatments(make.treatment(patch=patch, transforms=(), before=(0.95, 0.95, 0.96), after=after))


FIRES: dict[str, tuple[tuple[Record, ...], dict[str, object], str]] = {
    "twice as fast in bfloat16": ((make.spec(), on(0.005)), {"precision": "bfloat16"}, "2.0 times as fast"),
    "validation is as good": ((make.spec(), on(0.005), tried(0.95, 0.95, 0.96)), {"precision": "bfloat16"}, "became"),
    "weights in float64": ((make.spec(), on(0.009, float64_share=1.0)), {}, "100% of the weights are float64"),
    "weights in float64, in a run that autocasts": (
        (make.spec(precision="bfloat16"), on(None, float64_share=0.5)),
        {},
        "50% of the weights",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a CPU": ((make.spec(), make.system_profile()), "not_applicable"),
    "bfloat16 already": ((make.spec(precision="bfloat16"), on(None)), "not_applicable"),
    "hardly faster": ((make.spec(), on(0.009)), "passed"),
    "one round below": ((make.spec(), _unsteady()), "passed"),
    "timed only once": ((make.spec(), on(0.005, rounds=1)), "unjudged"),
    "no bfloat16 on this model": ((make.spec(), on(None)), "unjudged"),
    "validation is clearly worse": ((make.spec(), on(0.005), tried(0.90, 0.90, 0.91)), "passed"),
}


@pytest.mark.parametrize(("records", "patch", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], patch: dict[str, object], words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.MEDIUM)
    assert finding.fixes[0].patch == patch
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
