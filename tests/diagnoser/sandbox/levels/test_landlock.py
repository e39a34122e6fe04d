"""Behind Landlock the canary gets out only where the published list says; as root the level is refused."""

import sys
from pathlib import Path

import pytest

from diagnoser.sandbox.levels import landlock
from diagnoser.sandbox.levels.probe import known_gaps, try_level
from diagnoser.sandbox.levels.reach import why_not
from tests.diagnoser.sandbox.levels.behind_walls import (
    IS_ROOT,
    Start,
    as_ordinary_user,
    family,
    gone,
    only_linux,
    printed,
    until,
)
from tests.helpers.command_line import diagnoser

pytestmark = only_linux
ordinary = pytest.mark.skipif(
    IS_ROOT, reason="Landlock does not hold root; another test runs this one as somebody else"
)
NEWEST = 6  # Landlock's ABI from which the level can hold: signals


@pytest.mark.skipif(not IS_ROOT, reason="the others ran already")
def test_as_an_ordinary_user_all_tests_here_pass() -> None:
    done = as_ordinary_user(__file__)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.skipif(not IS_ROOT, reason="for root")
def test_root_is_refused_and_told_what_to_do() -> None:
    tried = try_level("landlock")
    assert not tried.is_reached
    assert "run it as an ordinary user" in why_not(tried)


@pytest.mark.skipif(not IS_ROOT, reason="for root")
def test_a_command_ends_rather_than_run_below_the_level_that_was_asked_for(tmp_path: Path) -> None:
    done = diagnoser("run", "--sandbox", "landlock", cwd=tmp_path)
    assert done.returncode == 2
    assert "--sandbox landlock: root passes by Landlock (run it as an ordinary user" in done.stderr
    assert "Traceback" not in done.stderr


@ordinary
def test_the_canary_gets_out_only_where_the_list_says() -> None:
    if landlock.abi() < NEWEST:
        pytest.skip(f"this kernel's Landlock has version {landlock.abi()}")
    tried = try_level("landlock")
    assert tried.problem is None
    assert set(tried.got) <= set(known_gaps("landlock"))
    assert tried.is_reached


WRITES = """
import os, pathlib, shutil, sys, tempfile
for place in (sys.argv[sys.argv.index("--folder") + 1], tempfile.gettempdir(), str(pathlib.Path.home())):
    pathlib.Path(place, "mine").write_text("!")
shutil.copy2(__file__, tempfile.gettempdir())
print("wrote")
for place in (__file__, "/proc/1/cmdline", "/etc/passwd"):
    try:
        open(place, "r+" if place == __file__ else "r").close()
        print("opened", place)
    except OSError as error:
        print(type(error).__name__)
"""


@ordinary
def test_a_program_writes_to_its_own_folder_and_reads_its_own_code(start: Start) -> None:
    child = start(WRITES, "landlock")
    assert printed(child) == ["wrote", "PermissionError", "PermissionError", "PermissionError"]


LEAVES = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print(os.getpid(), flush=True)
            time.sleep(1000)
        os._exit(0)
print("left", flush=True)
time.sleep(1000)
"""


@ordinary
def test_whom_the_program_left_in_sessions_of_their_own_goes_with_it(start: Start) -> None:
    child = start(LEAVES, "landlock")
    said = printed(child, lines=4)
    child.end()
    assert gone(int(word) for word in said if word != "left")


FORKS = """
import os, time
while True:
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    time.sleep(0.002)
"""


@ordinary
def test_a_fork_bomb_is_seen_and_ended_whole(start: Start) -> None:
    child = start(FORKS, "landlock", processes=20)
    assert until(lambda: child.overstepped() == "processes")
    everyone = family(child)
    assert len(everyone) > 20
    assert child.end_for("processes").cause == "processes"
    assert gone(everyone)


@ordinary
def test_a_filter_stays_when_programs_are_started(tmp_path: Path, start: Start) -> None:
    inner = "import socket\ntry: socket.socket()\nexcept OSError as error: print(error)"
    child = start(f"import subprocess, sys\nsubprocess.run([{sys.executable!r}, '-c', {inner!r}])", "landlock")
    assert "Address family not supported" in printed(child)[0]
