"""What a child leaves behind: the stack of its end, its printed words; and the limits it had."""

from pathlib import Path

import pytest

from diagnoser.sandbox import stacks
from diagnoser.sandbox.child_environment import environment_for_child
from diagnoser.sandbox.limits import Machine, resident_bytes, seconds_for, this_machine
from diagnoser.sandbox.output import Output
from diagnoser.trials import Probe, ProbeKind, Trial

ENGINE = Path(stacks.ENGINE)


def test_the_stack_of_a_hang_is_that_of_the_main_thread_without_our_frames(tmp_path: Path) -> None:
    source = tmp_path / "project.py"
    source.write_text("def forward():\n    spin()\n", encoding="utf-8")
    text = f"""main 0x2
Timeout (0:00:01)!
Thread 0x0000000000000001 (most recent call first):
  File "{ENGINE}/training/isolation.py", line 3 in listen
Thread 0x0000000000000002 (most recent call first):
  File "{tmp_path}/native.so", line 7 in spin
  File "{source}", line 2 in forward
  File "{ENGINE}/training/loop.py", line 5 in run_trial
"""
    stack = stacks.read(text)
    assert stack.crash is None
    assert stack.traceback.splitlines() == [
        "Traceback (most recent call last):",
        f'  File "{source}", line 2, in forward',
        "    spin()",
        f'  File "{tmp_path}/native.so", line 7, in spin',
    ]


def test_the_stack_of_a_crash_is_that_of_the_thread_that_crashed() -> None:
    text = """main 0x2
Fatal Python error: Segmentation fault

Current thread 0x0000000000000009 (most recent call first):
  File "project.py", line 3 in worker

Thread 0x0000000000000002 (most recent call first):
  File "project.py", line 9 in main

Extension modules: numpy (total: 1)
"""
    stack = stacks.read(text)
    assert stack.crash == "Segmentation fault"
    assert "in worker" in stack.traceback
    assert "in main" not in stack.traceback


def test_a_line_of_a_file_that_the_code_does_not_see_is_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password\n", encoding="utf-8")
    text = f'main 0x2\nThread 0x2 (most recent call first):\n  File "{secret}", line 1 in forward\n'
    assert "password" in stacks.read(text).traceback
    hidden = stacks.read(text, shows=lambda file: not file.endswith("secret")).traceback
    assert str(secret) in hidden
    assert "password" not in hidden


@pytest.mark.parametrize("text", ["", "main 0x2\n", "nonsense\n  File\n", "main me\nExit never\n", "main 0x\n"])
def test_nothing_written_is_no_traceback(text: str) -> None:
    assert stacks.read(text).traceback == ""


def test_demo_code_that_we_ship_counts_as_the_users() -> None:
    text = f'main 0x2\nThread 0x2 (most recent call first):\n  File "{ENGINE}/demo/digits.py", line 1 in forward\n'
    assert "digits.py" in stacks.read(text).traceback


def test_output_keeps_its_ends_and_says_what_is_missing() -> None:
    output = Output(kept=10)
    for word in ("first ", "words ", *["middle "] * 100, "the last ", "words"):
        output.add(word.encode())
    text = output.text()
    assert text.startswith("first word")
    assert text.endswith("last words")
    assert "bytes are not kept" in text
    assert output.tail(lines=1) == text.splitlines()[-1]


def test_output_that_fits_is_whole() -> None:
    output = Output(kept=10)
    output.add(b"short")
    assert output.text() == "short"


def test_a_limit_of_time_leaves_room_for_the_evaluation() -> None:
    assert seconds_for([Trial(seed=0, max_seconds=10.0)]) == 50.0
    assert seconds_for([Trial(seed=seed, max_seconds=10.0) for seed in range(3)]) == 90.0  # room for one evaluation
    assert seconds_for([Trial(seed=0, max_seconds=10.0), Trial(seed=1)]) is None
    assert seconds_for([Probe(probe=ProbeKind.DATA)]) is None


@pytest.mark.parametrize(("resident", "processes"), [(None, 4), (1_000_000_000, 4), (4_000_000_000, 2), (10**11, 1)])
def test_as_many_children_as_fit_in_memory(resident: int | None, processes: int) -> None:
    assert Machine(cores=16, memory=20_000_000_000).fitting(resident, wanted=4) == processes


def test_this_machine_has_a_core_and_this_process_some_memory() -> None:
    assert this_machine().cores >= 1
    assert (resident_bytes(1) or 1) > 0


def test_a_child_has_the_users_environment_and_our_threads() -> None:
    environment = environment_for_child(
        {"HOME": "/home/me", "PYTHONHASHSEED": "7", "PYTHONPATH": "lib", "OMP_NUM_THREADS": "64"}, threads=2
    )
    assert environment["HOME"] == "/home/me"
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["PYTHONHASHSEED"] == "7"  # the user's own wish
    assert environment["PYTHONPATH"] == str(Path("lib").absolute())  # the child's current folder is another
    assert "PYTHONDONTWRITEBYTECODE" not in environment
