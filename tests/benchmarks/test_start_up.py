"""What the start-up benchmark makes of its figures, and that it counts processes that it waits for."""

import sys
from pathlib import Path
from typing import Any

from benchmarks import start_up
from benchmarks.start_up import Row


def row(**more: Any) -> Row:
    return Row(name="judge and print", workload="digits", seconds=0.5, processor_seconds=0.25, **more)


def test_a_promise_is_held_against_the_clock_and_a_rival_against_ours() -> None:
    one = row(promised=1.0, bare="python", bare_seconds=0.25, bare_processor_seconds=0.125)
    promise, rival = start_up.lines([one])
    assert (promise.rival, promise.ratio, promise.goal, promise.is_met) == (1.0, 0.5, "<= 1", True)
    assert (rival.rival_name, rival.ratio, rival.goal) == ("python", 2.0, None)
    assert rival.note == "processor time 2 times"


def test_what_is_neither_promised_nor_done_by_others_is_no_ratio() -> None:
    assert list(start_up.lines([row()])) == []


def test_the_processor_time_is_that_of_the_program_that_ran(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    idle = "import time\ntime.sleep(0.6)"
    _, worked = start_up.cost(start_up.command(sys.executable, "-c", busy, cwd=tmp_path))
    waited, slept = start_up.cost(start_up.command(sys.executable, "-c", idle, cwd=tmp_path))
    assert worked >= 0.3
    assert waited >= 0.6
    assert slept < worked


def test_the_demo_is_copied_as_a_user_finds_it(tmp_path: Path) -> None:
    for example in start_up.EXAMPLES:
        work = start_up._example(tmp_path, example)
        assert {"diagnose.yaml", "digits.py"} <= {file.name for file in work.iterdir()}
