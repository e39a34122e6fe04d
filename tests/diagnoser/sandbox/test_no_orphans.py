"""However the supervisor goes, its children go with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from diagnoser.spec.fields import TrainingSpec

ROOT = Path(__file__).parents[3]
SUPERVISOR = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the tests may ignore it
from pathlib import Path
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Trial

spec = TrainingSpec.model_validate_json(sys.argv[1])
work = [Trial(seed=0, updates=1, evaluations=0, changes={"model.args.mischief": "loop"})]
with LocalExecutor(spec, folder=Path(sys.argv[2]), cache=None, processes=1) as executor:
    executor.open()
    executor.run(work, deadline=time.monotonic() + 100, on_result=lambda index, result: None)
"""


def until(seconds: float, happened: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.05)
    return False


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=lambda how: how.name)
def test_a_child_in_an_endless_loop_ends_when_its_supervisor_gets(
    how: signal.Signals, folder: Path, spec: TrainingSpec
) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, spec.model_dump_json(), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder.parent)},
        stderr=subprocess.DEVNULL,
    )
    try:
        told = folder / "pid"
        assert until(60, lambda: told.exists() and told.read_text(encoding="utf-8") != "")
        child = int(told.read_text(encoding="utf-8"))
        assert is_running(child)
        supervisor.send_signal(how)
        assert until(5, lambda: not is_running(child))
    finally:
        supervisor.kill()
        supervisor.wait()
