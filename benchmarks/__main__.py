"""How do we compare with the others? Runs every benchmark and ends in one table of ratios.

    python -m benchmarks [--quick] [--json] [--repeats N] [--data FOLDER] [--only NAME] [--out FOLDER]

A benchmark joins with its name in SCRIPTS, the arguments of `reporting.parser`, and the JSON of `reporting.document`.
Each runs in a process of its own; one that fails costs its own lines and nothing else. `--out` keeps what each said.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import reporting
from benchmarks.reporting import Line, say

HERE = Path(__file__).resolve().parent
SCRIPTS = (
    "loop_overhead",
    "search",
    "lr_scan",
    "instruments",
    "diagnosis",
    "growth",
    "start_up",
    "ledger",
    "isolation",
)
OUT = HERE.parent / "build" / "benchmarks"


def ask(name: str, arguments: Sequence[str]) -> Mapping[str, Any] | str:
    """Run one benchmark and read its JSON; in words what went wrong, if something did. Its progress is passed on."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *arguments]
    last = ""
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8") as printed:
        with subprocess.Popen(command, stdout=printed, stderr=subprocess.PIPE, text=True, errors="replace") as process:
            assert process.stderr is not None
            for line in process.stderr:
                sys.stderr.write(line)
                last = line.strip() or last
        if process.returncode:
            return f"it ended with {process.returncode}: {last}"
        printed.seek(0)
        text = printed.read()
    try:
        found = json.loads(text)
        for line in found["table"]:
            Line(**line)
    except (ValueError, TypeError, KeyError) as error:
        return f"what it printed is not the JSON that benchmarks/reporting.py describes: {error!r}"
    return dict(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them all, print the table; 1 when a benchmark failed, whether goals are met or not."""
    parser = reporting.parser(__doc__, repeats=0)
    parser.add_argument("--only", action="append", choices=SCRIPTS, help="this benchmark; may be given again")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the JSON of each (default: build/benchmarks)")
    asked = parser.parse_args(arguments)
    passed_on = [
        *(["--quick"] if asked.quick else []),
        *(["--repeats", str(asked.repeats)] if asked.repeats else []),
        *(["--data", str(asked.data)] if asked.data else []),
    ]
    asked.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Mapping[str, Any]] = {}
    failed: dict[str, str] = {}
    for name in asked.only or [name for name in SCRIPTS if (HERE / f"{name}.py").exists()]:
        say(f"{name} ...")
        answer = ask(name, passed_on)
        if isinstance(answer, str):
            failed[name] = answer
            continue
        found[name] = answer
        (asked.out / f"{name}.json").write_text(json.dumps(answer, indent=1), encoding="utf-8")
    show(found, failed=failed, as_json=asked.json)
    return 1 if failed else 0


def show(found: Mapping[str, Mapping[str, Any]], *, failed: Mapping[str, str], as_json: bool) -> None:
    """Print the one table, what was left out, and where it was measured."""
    lines = [Line(**line) for one in found.values() for line in one["table"]]
    skipped = dict.fromkeys(words for one in found.values() for words in one["skipped"])
    notes = [*skipped, *(f"{name}.py failed: {words}" for name, words in failed.items())]
    versions = {package: number for one in found.values() for package, number in one["versions"].items()}
    all_ = reporting.document("all", rows=[], table=lines, skipped=notes) | {"versions": versions}
    if as_json:
        print(json.dumps(all_))
        return
    print(", ".join(f"{key} {value}" for key, value in {**all_["machine"], **versions, "date": all_["date"]}.items()))
    print()
    reporting.print_lines(lines)
    print("\n".join(["", *notes]))


if __name__ == "__main__":
    sys.exit(main())
