"""What does growth look like? The pictures and the tables of what `benchmarks/growth.py` measured."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from benchmarks import reporting
from benchmarks.plots import Panel, Series
from benchmarks.reporting import Line, number

MOST_TICKS = 8
BARE_LOOK = 4  # the fifth: what everything is held against
Row = dict[str, Any]


def stops_paying(rows: Sequence[Row]) -> float | None:
    """Give the number of parameters from which on a stack is never faster than its trials one by one; None: beyond."""
    points = sorted((row["parameters"], row["alone_ms"] / row["stacked_ms"]) for row in rows)
    for (low, above), (high, below) in reversed(list(itertools.pairwise(points))):
        if below < 1 <= above:
            share = math.log(above) / (math.log(above) - math.log(below))
            return float(low * (high / low) ** share)
        if below >= 1:
            return None
    return float(points[0][0]) if points and points[0][1] < 1 else None


def of_search(rows: Sequence[Row], workload: str, **wanted: Any) -> list[Row]:
    """Select searches, by number of trials and of processes."""
    chosen = [row for row in rows if row["what"] == "search" and row["workload"] == workload]
    chosen = [row for row in chosen if all(row[key] == value for key, value in wanted.items())]
    return sorted(chosen, key=lambda row: (row["trials"], row["processes"]))


def names_of(rows: Sequence[Row]) -> list[str]:
    """List the workloads that were searched."""
    return list(dict.fromkeys(row["workload"] for row in rows if row["what"] == "search"))


def panels(rows: Sequence[Row]) -> list[Panel]:
    """Draw seconds against trials, speed against workers, and milliseconds against parameters."""
    found = []
    for name in names_of(rows):
        series = []
        for look, (processes, stacking) in enumerate(((2, True), (2, False), (1, True), (1, False))):
            chosen = of_search(rows, name, processes=processes, stacking=stacking)
            words = f"{processes} process{'es' if processes > 1 else ''}, {_way(stacking)}"
            if chosen:
                x, y = [row["trials"] for row in chosen], [row["seconds"] for row in chosen]
                series.append(Series(label=words, x=x, y=y, look=look))
        every = of_search(rows, name, processes=1, stacking=True)
        ticks = [row["trials"] for row in every]
        series.append(Series(label="bare loop", x=ticks, y=[row["bare_seconds"] for row in every], look=BARE_LOOK))
        title = f"{name}: trials of {every[0]['updates']} updates"
        found.append(
            Panel(title=title, x_label="trials", y_label="seconds", series=tuple(series), x_ticks=tuple(ticks))
        )
    return [*found, _workers_panel(rows), _parameters_panel(rows)]


def _workers_panel(rows: Sequence[Row]) -> Panel:
    series, ticks = [], [1]
    largest = max(row["trials"] for row in rows if row["what"] == "search")
    looks = iter(range(4))
    for name in names_of(rows):
        for stacking in (True, False):
            chosen = of_search(rows, name, stacking=stacking, trials=largest)
            ticks = [row["processes"] for row in chosen]
            speeds = [row["bare_seconds"] / row["seconds"] for row in chosen]
            words = f"{name}, {_way(stacking)}"
            series.append(Series(label=words, x=ticks, y=speeds, look=next(looks)))
    series.append(Series(label="in proportion", x=ticks, y=ticks, look=BARE_LOOK))
    return Panel(
        title=f"{largest} trials: workers",
        x_label="processes of one thread",
        y_label="times the bare loop's speed",
        series=tuple(series),
        x_ticks=tuple(ticks) if len(ticks) <= MOST_TICKS else (),
    )


def _parameters_panel(rows: Sequence[Row]) -> Panel:
    chosen = [row for row in rows if row["what"] == "parameters"]
    x = [row["parameters"] for row in chosen]
    named = {
        "stacked_ms": (f"stack of {chosen[0]['at_once']}, per trial", 0),
        "alone_ms": ("ours, alone", 1),
        "bare_ms": ("bare loop", BARE_LOOK),
    }
    return Panel(
        title="perceptrons: one update of one trial",
        x_label="parameters",
        y_label="milliseconds",
        series=tuple(
            Series(label=words, x=x, y=[row[key] for row in chosen], look=look) for key, (words, look) in named.items()
        ),
    )


def lines(rows: Sequence[Row]) -> list[Line]:
    """Say for the common table what growth comes to; it has no goals of its own."""
    largest = max(row["trials"] for row in rows if row["what"] == "search")
    searches = [row for name in names_of(rows) for row in of_search(rows, name, trials=largest)]
    chosen = [row for row in rows if row["what"] == "parameters"]
    stops = stops_paying(chosen)
    words = "stacking pays at every size" if stops is None else f"stacking pays up to {number(stops)} parameters"
    return [*(_of_search(row) for row in searches), *(_of_stack(row, words) for row in chosen)]


def _of_search(row: Row) -> Line:
    return Line(
        name=f"{row['trials']} trials, processes: {row['processes']}, {_way(row['stacking'])}",
        workload=row["workload"],
        unit="s",
        ours=row["seconds"],
        rival=row["bare_seconds"],
        rival_name="bare loop",
        ratio=row["seconds"] / row["bare_seconds"],
    )


def _of_stack(row: Row, note: str) -> Line:
    return Line(
        name=f"an update in a stack of {row['at_once']}",
        workload=f"{row['parameters']:,} parameters",
        unit="ms",
        ours=row["stacked_ms"],
        rival=row["alone_ms"],
        rival_name="ours, alone",
        ratio=row["stacked_ms"] / row["alone_ms"],
        note=note,
    )


def show(rows: Sequence[Row]) -> None:
    """Print the tables of docs/benchmarks.md."""
    for name in names_of(rows):
        print(f"\n{name}: seconds of a search of so many trials")
        one = of_search(rows, name, processes=1, stacking=True)
        ways = [(p, s) for p in sorted({row["processes"] for row in of_search(rows, name)}) for s in (False, True)]
        seconds = {(r["trials"], r["processes"], r["stacking"]): r["seconds"] for r in of_search(rows, name)}
        reporting.print_columns(
            ["trials", "bare", *(f"{p} proc., {_way(s)}" for p, s in ways)],
            [
                [
                    str(r["trials"]),
                    number(r["bare_seconds"]),
                    *(number(seconds.get((r["trials"], *way))) for way in ways),
                ]
                for r in one
            ],
        )
    print("\nMilliseconds of one update of one trial")
    chosen = [row for row in rows if row["what"] == "parameters"]
    reporting.print_columns(
        ["parameters", "bare", "alone", f"stack of {chosen[0]['at_once']}", "alone / bare", "stack / alone"],
        [
            [
                f"{r['parameters']:,}", number(r["bare_ms"]), number(r["alone_ms"]), number(r["stacked_ms"]),
                number(r["alone_ms"] / r["bare_ms"]), number(r["stacked_ms"] / r["alone_ms"]),
            ]
            for r in chosen
        ],
    )  # fmt: skip


def _way(stacking: bool) -> str:  # noqa: FBT001 (two words for a boolean)
    return "stacking on" if stacking else "stacking off"
