"""What user code may take at a level has a limit, it is ended when it passes one, and nothing of it stays.

Programs of a few lines in the place of ours, so that a bomb costs no import of torch.
"""

import pytest

from diagnoser.sandbox.supervisor import Ending
from tests.diagnoser.sandbox.levels.behind_walls import IS_ROOT, Start, family, gone, only_linux, printed, until

pytestmark = [only_linux, pytest.mark.usefixtures("bubblewrap")]
FORKS = """
import os, time
print("go", flush=True)
while True:
    try:
        if os.fork() == 0:
            os.setsid()
            time.sleep(1000)
    except OSError:
        time.sleep(0.01)
"""


def test_a_fork_bomb_is_seen_and_ended_whole(start: Start) -> None:
    child = start(FORKS, "bwrap", processes=20)
    assert until(lambda: child.overstepped() == "processes")
    everyone = family(child)
    assert len(everyone) > 20
    ending = child.end_for("processes")
    assert ending.cause == "processes"
    assert gone(everyone)


COUNTS = """
import os, time
count = 0
try:
    while count < 1000:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except OSError:
    print(count)
"""


@pytest.mark.skipif(IS_ROOT, reason="the kernel does not count root's processes")
def test_the_kernel_holds_it_before_that(start: Start) -> None:
    (count,) = printed(start(COUNTS, "bwrap", threads=40))
    assert 30 < int(count) < 40


LOOP = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('go', flush=True)\nwhile True: pass\n"


def test_an_endless_loop_that_ignores_signals_is_ended(start: Start) -> None:
    child = start(LOOP, "bwrap")
    printed(child, lines=1)
    everyone = family(child)
    assert child.overstepped() is None
    assert isinstance(child.end_for("timed_out"), Ending)
    assert gone(everyone)


MEMORY = """
try:
    kept = bytearray(400_000_000)
    print("has it")
except MemoryError:
    print("refused")
"""


@pytest.mark.parametrize(("limit", "words"), [(200_000_000, "refused"), (800_000_000, "has it")])
def test_memory_has_a_limit(start: Start, limit: int, words: str) -> None:
    assert printed(start(MEMORY, "bwrap", data_bytes=limit)) == [words]


HOLDS = """
import os, time
kept = bytearray(b"x" * 50_000_000)
if os.fork() == 0:
    {does}
    print("go", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("does", "least", "most"),
    [("kept = bytearray(b'y' * 50_000_000)", 95_000_000, 180_000_000), ("pass", 45_000_000, 90_000_000)],
    ids=["of its own", "shared"],
)
def test_memory_is_counted_over_all_that_it_started_and_what_they_share_once(
    start: Start, does: str, least: int, most: int
) -> None:
    child = start(HOLDS.format(does=does), "bwrap", memory_bytes=1)
    printed(child, lines=1)
    held = child.held_bytes()
    assert held is not None
    assert least < held < most


FILES = """
import os, sys, tempfile
out = sys.argv[sys.argv.index("--folder") + 1]
def write(folder, size):
    try:
        with open(os.path.join(folder, "big"), "wb") as file:
            file.write(b"x" * size)
        print("written")
    except OSError as error:
        print(os.strerror(error.errno))
write(out, 3_000_000)
write(out, 1_000_000)
write(tempfile.gettempdir(), 1_500_000)
write("/dev/shm", 1_500_000)
write("/", 10)
write("/dev", 10)
write(".", 10)
"""


def test_files_and_temporary_file_systems_have_a_size(start: Start) -> None:
    child = start(FILES, "bwrap", file_bytes=2_000_000, temporary_bytes=1_000_000)
    full, read_only = "No space left on device", "Read-only file system"
    assert printed(child) == ["File too large", "written", full, full, read_only, read_only, read_only]


MANY = """
import os, sys, time
out = sys.argv[sys.argv.index("--folder") + 1]
{what}
print("go", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize(
    "what",
    [
        "for number in range(101): open(os.path.join(out, str(number)), 'w').close()",
        "for number in range(5): open(os.path.join(out, str(number)), 'wb').write(b'x' * 300_000)",
        "file = open(os.path.join(out, 'x'), 'wb', buffering=0); os.remove(file.name); file.write(b'x' * 1_500_000)",
        "os.mkdir(os.path.join(out, 'closed')); os.chmod(os.path.join(out, 'closed'), 0)" + "; os.chdir(out)"
        "\nfor _ in range(1100): os.mkdir('deep'); os.chdir('deep')",
    ],
    ids=["many", "large together", "without a name", "too deep"],
)
def test_who_fills_the_folder_is_found(start: Start, what: str) -> None:
    child = start(MANY.format(what=what), "bwrap", output_bytes=1_000_000, output_files=100)
    printed(child, lines=1)
    assert child.overstepped() == "disk"


def test_who_writes_little_is_left_alone(start: Start) -> None:
    child = start(MANY.format(what="open(os.path.join(out, 'x'), 'w').write('x')"), "bwrap", output_bytes=1_000_000)
    printed(child, lines=1)
    assert child.overstepped() is None


def test_an_exit_code_and_a_signal_are_told_as_without_walls(start: Start) -> None:
    child = start("import os\nos.kill(os.getpid(), 11)\n", "bwrap")
    assert until(lambda: child._running.poll() is not None)
    ending = child.look()
    assert isinstance(ending, Ending)
    assert ending.returncode == -11
