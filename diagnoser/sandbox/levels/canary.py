"""Can it get out? A program that tries, behind the walls of a level or without any: `python -I -S canary.py TARGETS`.

TARGETS is a JSON object with what lies outside (`probe.py` puts it there, and looks itself at what came of it). It
writes `canary.json` into its output folder: what it got at, by the name of the attempt. Then it waits to be killed, and
leaves a process that nobody knows of any more, which holds the lock of a file.
"""

import contextlib
import fcntl
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ANSWER = "canary.json"
HELD = "held"
SECRET = "CANARY_SECRET="  # noqa: S105 (a name; what follows it is the secret)
KERNEL_FILES = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger")
SECONDS = 5.0  # for one attempt at a network

Targets = Mapping[str, Any]


def network(targets: Targets) -> str:
    """Reach a server of this machine, by TCP or UDP."""
    got = []
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", targets["tcp"]), timeout=SECONDS):
        got.append("TCP")
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"!", ("127.0.0.1", targets["udp"]))
    return " ".join(got)  # whether a datagram arrived, only its receiver knows


def unix_socket_with_a_path(targets: Targets) -> str:
    """Connect to a server by a file's name."""
    return _connects(targets["path"])


def unix_socket_without_a_path(targets: Targets) -> str:
    """Connect to a server by a name that is no file's."""
    return _connects("\0" + targets["abstract"])


def secret_file(targets: Targets) -> str:
    """Read a file that nobody named."""
    return Path(targets["secret"]).read_text(encoding="utf-8")[:1] and "read"


def secret_folder(targets: Targets) -> str:
    """List a folder that nobody named."""
    return " ".join(os.listdir(Path(targets["secret"]).parent))  # noqa: PTH208 (names are enough)


def environment(targets: Targets) -> str:
    """Read a secret out of the variables of another process: the parent, the launcher, or any."""
    numbers = {str(targets["supervisor"]), "1", str(os.getppid())}
    with contextlib.suppress(OSError):
        numbers |= {name for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 (names are enough)
    got = []
    for number in sorted(numbers - {str(os.getpid())}):
        with contextlib.suppress(OSError):
            if SECRET.encode() in Path("/proc", number, "environ").read_bytes():
                got.append(number)
    return "/proc/" + " ".join(got) if got else ""


def own_environment(targets: Targets) -> str:
    """Have the secret among its own variables."""
    return "own variables" if SECRET.rstrip("=") in os.environ else ""


def writing_outside(targets: Targets) -> str:
    """Make a file, or change one, where nobody asked for it; open a file of the kernel's that acts on the machine."""
    got = []
    for place in (targets["outside"], str(Path(targets["program"]) / "written")):
        with contextlib.suppress(OSError):
            Path(place).write_text("!", encoding="utf-8")
            got.append(place)
    for place in (targets["secret"], *KERNEL_FILES):
        with contextlib.suppress(OSError):
            os.close(os.open(place, os.O_WRONLY))
            got.append(place)
    return " ".join(got)


def rights_outside(targets: Targets) -> str:
    """Let everybody read a file; that the call says it did proves nothing, so its owner looks."""
    Path(targets["secret"]).chmod(0o777)
    return ""


def signal_outside(targets: Targets) -> str:
    """Kill the supervisor; whether it lives, others see."""
    os.kill(targets["supervisor"], signal.SIGKILL)
    return "a signal was sent"


def limits_outside(targets: Targets) -> str:
    """Take from the supervisor what it needs to work."""
    resource.prlimit(targets["supervisor"], resource.RLIMIT_CORE, (0, 0))
    return "a limit was set"


ATTEMPTS: tuple[Callable[[Targets], str], ...] = (
    network,
    unix_socket_with_a_path,
    unix_socket_without_a_path,
    secret_file,
    secret_folder,
    environment,
    own_environment,
    writing_outside,
    rights_outside,
    limits_outside,
    signal_outside,  # the last: it may end everything
)


def main(targets: Targets) -> None:
    """Try everything, tell, and stay."""
    out = Path(targets["out"])
    _leave_somebody(out / HELD, seconds=targets["seconds"])
    got = {}
    for attempt in ATTEMPTS:
        try:
            answer = attempt(targets)
        except OSError:
            answer = ""
        if answer:
            got[attempt.__name__] = answer
    temporary = out / (ANSWER + ".new")
    temporary.write_text(json.dumps(got), encoding="utf-8")
    temporary.rename(out / ANSWER)
    time.sleep(targets["seconds"])


def _connects(address: str) -> str:
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(SECONDS)
        end.connect(address)
        return "connected"


def _leave_somebody(file: Path, *, seconds: float) -> None:
    """Start a process in a session of its own, whose parent ends at once; go on when it holds the lock."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.write(writing, b"!")
            time.sleep(seconds)
        os._exit(0)
    os.close(writing)
    os.wait()
    os.read(reading, 1)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
