"""What do all benchmarks share? Their arguments, the shape of their JSON, and the table of `make benchmark`.

    {"benchmark": "search", "machine": {...}, "versions": {...}, "date": "...",
     "rows": [...],     the benchmark's own results, in its own shape
     "table": [...],    one `Line` per ratio that is worth one, for the table of all benchmarks
     "skipped": [...]}  what was left out, in words

With `--json` this is all that is printed on stdout; progress goes to stderr. A missed goal is no error.
"""

import argparse
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

DATA_VARIABLE = "DIAGNOSER_BENCHMARK_DATA"
NO_MNIST = "MNIST skipped: give --data"
SHARED = ("diagnoser", "torch", "numpy", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One ratio. None: not measured, and `note` says why."""

    name: str  # what is measured
    workload: str
    unit: str  # of `ours` and `rival`
    ours: float | None
    rival: float | None
    rival_name: str
    ratio: float | None  # in the sense of the goal
    goal: str | None = None  # "<= 1.1" or ">= 2.5"; None: for information
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        if self.goal is None or self.ratio is None:
            return None
        sense, bound = self.goal.split()
        return self.ratio >= float(bound) if sense == ">=" else self.ratio <= float(bound)


def parser(description: str | None, *, repeats: int) -> argparse.ArgumentParser:
    """Give the arguments that every benchmark takes."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="digits only, one repeat")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument("--repeats", type=int, help=f"blocks of each contender; the median counts (default {repeats})")
    made.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(DATA_VARIABLE) or None,
        help=f"folder with MNIST's 10,000 test digits in IDX format (default: {DATA_VARIABLE})",
    )
    made.set_defaults(default_repeats=repeats)
    return made


def repeats_of(arguments: argparse.Namespace) -> int:
    """Tell how often each contender runs: as asked, else once when quick, else the benchmark's own number."""
    return int(arguments.repeats or (1 if arguments.quick else arguments.default_repeats))


def document(
    benchmark: str,
    *,
    rows: Sequence[Any],
    table: Iterable[Line],
    skipped: Iterable[str] = (),
    packages: Iterable[str] = (),
) -> dict[str, Any]:
    """Put the results beside machine, versions and date."""
    return {
        "benchmark": benchmark,
        "machine": machine(),
        "versions": {"python": platform.python_version(), **_versions((*SHARED, *packages))},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": list(rows),
        "table": [asdict(line) for line in table],
        "skipped": list(skipped),
    }


def machine() -> dict[str, str | int]:
    """Describe this machine without naming it."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {"processor": _processor(), "cores": cores, "system": platform.system(), "gpu": gpu}


def print_columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns as wide as their widest cell: the first to the left, the others to the right."""
    table = [list(head), *map(list, rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        cells = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def print_lines(lines: Sequence[Line]) -> None:
    """Print the table of ratios."""
    words = {True: "yes", False: "NO", None: ""}
    print_columns(
        ("measured", "workload", "ours", "rival", "", "unit", "ratio", "goal", "met", "note"),
        [
            (line.name, line.workload, number(line.ours), number(line.rival), line.rival_name, line.unit,
             number(line.ratio), line.goal or "", words[line.is_met], line.note)
            for line in lines
        ],
    )  # fmt: skip


def number(value: float | None) -> str:
    """Write three digits; a dash for what was not measured."""
    return "-" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def say(words: str) -> None:
    """Tell the person who waits."""
    print(words, file=sys.stderr, flush=True)


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
