"""Does the batch size leave the blocks of half-precision arithmetic half empty?"""

import pytest

from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.batch_size.batch_size_not_multiple_of_16 import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def spec(batch: int = 100, precision: str = "bfloat16") -> Record:
    return make.spec(data={"factory": "project:build_data", "batch_size": batch}, precision=precision)


def on(
    other: tuple[int, float] | None = (96, 0.0085), *, given: tuple[int, float] = (100, 0.010), **seen: object
) -> Record:
    block = None if other is None else make.speed(*other, precision="bfloat16")
    as_given = make.speed(*given, precision="bfloat16")
    told = make.throughput(as_given=as_given, larger=(), bfloat16=None, multiple_of_16=block, **seen)
    return make.system_profile(device="cuda:0", throughput=told)


def tried(*after: float) -> Record:
    patch = {"data.batch_size": 96}
    return make.treatments(make.treatment(patch=patch, transforms=(), before=(0.95, 0.95, 0.96), after=after))


FIRES: dict[str, tuple[Record, ...]] = {
    "96 rows are faster than 100": (spec(), on()),
    "in float16 as well": (spec(precision="float16"), on()),
    "validation is as good": (spec(), on(), tried(0.95, 0.95, 0.95)),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a multiple of sixteen": ((spec(96), on(None)), "passed"),
    "a CPU": ((spec(), make.system_profile()), "not_applicable"),
    "float32": ((spec(precision="float32"), on()), "not_applicable"),
    "a device without such units": ((spec(), on(tensor_cores=False)), "not_applicable"),
    "nothing gained a row": ((spec(), on((96, 0.0096))), "passed"),
    "less than five percent gained": ((spec(), on((96, 0.0093))), "passed"),
    "a batch of eight": ((spec(8), on((16, 0.010), given=(8, 0.010))), "not_applicable"),
    "not timed": ((spec(), on(None)), "unjudged"),
    "validation is clearly worse": ((spec(), on(), tried(0.90, 0.90, 0.91)), "passed"),
}


@pytest.mark.parametrize("records", FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...]) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.MEDIUM)
    assert finding.fixes[0].patch == {"data.batch_size": 96}
    assert "1.13 times the rows in a second" in finding.message


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
