"""Would the device do much more in a second with larger batches?"""

import pytest

from diagnoser.evidence.batch_size import Speed
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.batch_size.device_under_filled import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def on(
    *larger: tuple[int, float], rounds: int = 3, given: tuple[int, float] = (32, 0.010), **changes: object
) -> Record:
    """An accelerator; 32 rows take 10 ms, the larger batches what is said."""
    seen = make.throughput(
        as_given=make.speed(*given, rounds=rounds),
        larger=tuple(make.speed(size, seconds, rounds=rounds) for size, seconds in larger),
    )
    return make.system_profile(device="cuda:0", throughput=seen, **changes)


def _unsteady() -> Record:
    twice = Speed(batch_size=64, precision="float32", seconds=(0.010, 0.014, 0.010))
    return make.system_profile(device="cuda:0", throughput=make.throughput(larger=(twice,)))


def spec(batch: int = 32, **changes: object) -> Record:
    return make.spec(data={"factory": "project:build_data", "batch_size": batch}, **changes)


KNOWN = make.assumptions()
MANY = make.data_profile(train=make.split_profile(rows=100_000))
EMPTY = on((64, 0.010), (128, 0.011), (256, 0.021))  # full from 128 rows on
SGD = make.optimizer_profile(name="SGD")
FOUR_TIMES: dict[str, object] = {"data.batch_size": 128, "optimizer.lr": 0.002}


def tried(*after: float) -> Record:
    return make.treatments(make.treatment(patch=FOUR_TIMES, transforms=(), before=(0.95, 0.95, 0.96), after=after))


FIRES: dict[str, tuple[tuple[Record, ...], dict[str, object], str]] = {
    "a device that is full from 128 rows on": ((spec(), EMPTY, KNOWN, MANY), FOUR_TIMES, "2.00 times the rows"),
    "under plain SGD the lr grows with the rows": (
        (spec(), EMPTY, KNOWN, MANY, SGD),
        {"data.batch_size": 128, "optimizer.lr": 0.004},
        "do not fill",
    ),
    "validation is as good": ((spec(), EMPTY, KNOWN, MANY, tried(0.95, 0.95, 0.95)), FOUR_TIMES, "became"),
    "accumulated batches become one": (
        (spec(accumulate_batches=4), EMPTY, KNOWN, MANY),
        {"data.batch_size": 128, "accumulate_batches": 1},
        "do not fill",
    ),
    "no further than fifty updates an epoch": (
        (spec(), EMPTY, KNOWN, make.data_profile(train=make.split_profile(rows=4_000))),
        {"data.batch_size": 64, "optimizer.lr": 0.0014},
        "do not fill",
    ),
    "down to a multiple of sixteen": (
        (spec(20), on((40, 0.010), (80, 0.019), given=(20, 0.010)), KNOWN, MANY),
        {"data.batch_size": 32, "optimizer.lr": 0.0013},
        "Batches of 20",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a CPU": ((spec(), make.system_profile(), KNOWN, MANY), "not_applicable"),
    "not timed": ((spec(), make.system_profile(device="cuda:0"), KNOWN, MANY), "unjudged"),
    "a device that is full": ((spec(), on((64, 0.019)), KNOWN, MANY), "passed"),
    "one slow round": ((spec(), _unsteady(), KNOWN, MANY), "passed"),
    "timed only once": ((spec(), on((64, 0.010), rounds=1), KNOWN, MANY), "unjudged"),
    "no room for more rows": ((spec(), on(), KNOWN, MANY), "passed"),
    "fifty updates an epoch would not be left": ((spec(), EMPTY, KNOWN, make.data_profile()), "passed"),
    "validation is clearly worse": ((spec(), EMPTY, KNOWN, MANY, tried(0.90, 0.90, 0.91)), "passed"),
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
