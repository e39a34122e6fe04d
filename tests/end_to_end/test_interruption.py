"""Ctrl-C, a terminal that is closed, kill -9: nothing is left running, and the next run goes on from there."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import mischief
from tests.helpers.command_line import diagnoser, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child notices a little later that it is alone"),
]
ARGUMENTS = ("run", "diagnose.yaml", "--preset", "quick", "--budget", "90s")


@contextmanager
def started(folder: Path, env: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """The command as a shell starts it in the foreground: Ctrl-C reaches it even if it is ignored here."""
    program = (
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.argv = ['diagnoser', *{ARGUMENTS!r}]\nfrom diagnoser.cli.app import main\nmain()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_nothing_is_left_running_and_the_next_run_repeats_nothing(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    mischief.write(tmp_path)
    env = environment(DIAGNOSER_CACHE=str(tmp_path / "cache"), TMPDIR=str(tmp_path))
    with started(tmp_path, env) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("2 "):
                break
        theirs = children(process.pid)
        assert theirs
        if number is signal.SIGINT:
            os.killpg(process.pid, number)  # a terminal sends it to the whole group
        else:
            process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(timeout=30) == code
    assert "Traceback" not in said
    assert ("the same command goes on from there" in said) is (number is signal.SIGINT)
    until = time.monotonic() + 10
    while (left := [pid for pid in theirs if Path(f"/proc/{pid}").exists()]) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []
    assert list(tmp_path.glob("diagnosis/*")) == []
    kept = len(list((tmp_path / "cache").glob("*/*.json")))
    assert kept > 10

    done = diagnoser(*ARGUMENTS, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "diagnosis" / "evidence.json").read_text(encoding="utf-8"))["run"]
    assert run["plan"]["trials_from_cache"] > 10
