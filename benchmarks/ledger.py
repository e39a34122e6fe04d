"""How many units a second does each ledger carry, and how long does one insert of a large phase hold up the others?

    python benchmarks/ledger.py [--quick] [--json] [--repeats N]

One caller, one unit after the other, so that it is the way there and back that is timed; Redis on this machine, with
the files that we ship. A claim and a completion are two transitions. *Promised* is what the design rests on.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import reporting
from benchmarks.reporting import Line, number, say
from diagnoser.ledger.protocol import Answer, Ledger
from diagnoser.ledger.records import Claimant, Inline, NewJob, NewUnit, new_job_id, new_token
from diagnoser.ledger.settings import LedgerSettings
from diagnoser.ledger.sqlite import SqliteLedger

REPEATS = 3
UNITS, UNITS_WHEN_QUICK = 2000, 200
CONTENT_BYTES, RESULT_BYTES = 1000, 2000  # a probe; sixteen trials have some 10 KB, and are rarer
PROMISED = {"SQLite": ("units/s", 4000.0, 1), "Redis": ("transitions/s", 2000.0, 2)}  # research/service.md, 10 and 11
PROMISED_INSERT_SECONDS = 0.5  # no heartbeat waits for longer; measured at design: 0.063
WORKER = Claimant(worker="benchmark", host="benchmark", boot="one")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one back end did: medians of its repeats."""

    back_end: str
    units: int
    insert_seconds: float
    units_per_second: float
    processor_share: float  # of the time, that this process computed; the rest waited, or was others'


def measure(back_end: str, ledger: Ledger, *, units: int, repeats: int) -> Row:
    """Insert, then claim and complete one after the other."""
    inserts, works, shares = [], [], []
    for _ in range(repeats):
        job = ledger.submit(NewJob(id=new_job_id(), tenant="benchmark", package="0" * 64, spec="name: it\n"))
        new = [NewUnit(step="lr_scan", need="gpu", content=f"{n:<{CONTENT_BYTES}}") for n in range(units)]
        began = time.perf_counter()
        inserted = ledger.insert_units(job.id, expected_version=0, phase="lr_scan", units=new)
        inserts.append(time.perf_counter() - began)
        assert inserted is Answer.OK
        names = list(_names(ledger, job.id))
        assert len(names) == units
        began, computed = time.perf_counter(), time.process_time()
        for name in names:
            _do(ledger, name)
        works.append(time.perf_counter() - began)
        shares.append((time.process_time() - computed) / works[-1])
        assert ledger.sweep().advance[-1:], "the job should wait for its next decision"
    return Row(
        back_end=back_end, units=units, insert_seconds=statistics.median(inserts),
        units_per_second=units / statistics.median(works), processor_share=statistics.median(shares),
    )  # fmt: skip


def _do(ledger: Ledger, unit: str) -> None:
    token = new_token()
    answer, _ = ledger.claim(unit, token=token, by=WORKER)
    assert answer is Answer.OK
    assert ledger.complete(unit, token=token, result=Inline(json_text=f"{0:<{RESULT_BYTES}}")) is Answer.OK


def _names(ledger: Ledger, job: str) -> Iterator[str]:
    after = None
    while True:
        page = ledger.units(job, after=after, limit=100)
        yield from (unit.id for unit in page.units)
        after = page.next
        if after is None:
            return


@contextmanager
def _sqlite(folder: Path) -> Iterator[Ledger]:
    ledger = SqliteLedger(folder / "ledger", settings=LedgerSettings())
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def _redis(folder: Path) -> Iterator[Ledger]:
    from tests.helpers.redis_server import redis_server
    from workers.ledger.redis import RedisLedger

    with redis_server(folder) as server:
        ledger = RedisLedger(server.url(), settings=LedgerSettings())
        try:
            yield ledger
        finally:
            ledger.close()


def lines(rows: Sequence[Row]) -> Iterator[Line]:
    """Two lines for each back end."""
    for row in rows:
        unit, promised, of_each = PROMISED[row.back_end]
        workload = f"{row.units:,} units of {CONTENT_BYTES:,} bytes"
        yield Line(
            name=f"claim and complete, {row.back_end}", workload=workload, unit=unit,
            ours=of_each * row.units_per_second, rival=promised, rival_name="promised",
            ratio=of_each * row.units_per_second / promised, goal=">= 1",
            note=f"{number(row.units_per_second / row.processor_share)} units per second of this process's own time",
        )  # fmt: skip
        yield Line(
            name=f"insert in one call, {row.back_end}", workload=workload, unit="s", ours=row.insert_seconds,
            rival=PROMISED_INSERT_SECONDS, rival_name="promised", ratio=row.insert_seconds / PROMISED_INSERT_SECONDS,
            goal="<= 1",
        )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    asked = reporting.parser(__doc__, repeats=REPEATS).parse_args(arguments)
    units = UNITS_WHEN_QUICK if asked.quick else UNITS
    rows, skipped = [], []
    for back_end, opened in (("SQLite", _sqlite), ("Redis", _redis)):
        with tempfile.TemporaryDirectory() as folder:
            try:
                with opened(Path(folder)) as ledger:
                    rows.append(measure(back_end, ledger, units=units, repeats=reporting.repeats_of(asked)))
            except ImportError as error:
                skipped.append(f"{back_end}: {error}")
                continue
        say(f"{back_end}: {number(rows[-1].units_per_second)} units/s")
    found = reporting.document(
        "ledger", rows=[asdict(row) for row in rows], table=list(lines(rows)), skipped=skipped, packages=("redis",)
    )
    if asked.json:
        print(json.dumps(found))
        return 0
    print(found["date"], found["machine"], found["versions"])
    reporting.print_lines(list(lines(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
