"""Does a level hold on this machine? A canary tries to get out, and only where it got nowhere the level is reached.

Whether a kernel has Landlock, or bubblewrap is installed, says little: Docker's default seccomp profile and some
distributions forbid the namespaces, older kernels let signals through, root passes by Landlock. So it is tried, with
the very command line that the child gets, under a stand-in of the supervisor that may be killed, and is.
"""

import fcntl
import json
import os
import secrets
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from diagnoser.sandbox import hostile_files
from diagnoser.sandbox.levels import bwrap, canary, decoy, landlock
from diagnoser.sandbox.levels.ceilings import Ceilings
from diagnoser.sandbox.levels.commands import Command, Walls, command
from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.levels.seen import LANGUAGE, Seen, python_and_packages

SECONDS = 60.0  # a canary takes a fifth of one; a busy machine may take many times that
GONE_SECONDS = 10.0  # for the last process to go, once its supervisor was killed
LOOK_EVERY = 0.02
LARGEST_ANSWER = 64 * 1024
LEFT_BEHIND = "process_left_behind"
SOCKETS_FROM = 9  # Landlock's ABI that holds sockets with a path; kernel 7.1

GOT = TypeAdapter(dict[str, str])


@dataclass(frozen=True)
class Tried:
    """What the canary got at, by attempt; `problem` when it could not even be started."""

    level: Level
    got: Mapping[str, str]
    gaps: tuple[str, ...] = ()  # of what it got at, what is known to be open here and is published
    problem: str | None = None

    @property
    def is_reached(self) -> bool:
        """Tell whether it got at nothing that the level promises to hold."""
        return self.problem is None and not set(self.got) - set(self.gaps)


def known_gaps(level: Level) -> tuple[str, ...]:
    """What a level lets through on this kernel, and docs/isolation.md says so."""
    return ("unix_socket_with_a_path",) if level == "landlock" and landlock.abi() < SOCKETS_FROM else ()


def try_level(level: Level) -> Tried:
    """Let the canary try; `process` has no walls, and shows that the canary finds what is open."""
    if problem := _not_even(level):
        return Tried(level, {}, problem=problem)
    with tempfile.TemporaryDirectory(prefix="diagnoser-probe-") as folder:
        return _tried(level, Path(folder))


def _not_even(level: Level) -> str | None:
    if level == "process":
        return None
    if sys.platform != "linux":
        return f"this system is {sys.platform}, and the level needs Linux"
    if level == "bwrap" and bwrap.program() is None:
        return "bwrap is not installed"
    if level == "landlock" and os.geteuid() == 0:
        return "root passes by Landlock"
    if level == "landlock" and not landlock.abi():
        return "the kernel has no Landlock, or it is switched off"
    return None


def _tried(level: Level, folder: Path) -> Tried:
    inside, out, outside = folder / "inside", folder / "out", folder / "outside"
    for place in (inside, out, outside):
        place.mkdir()
    secret = outside / "secret"
    secret.write_text(secrets.token_hex(), encoding="utf-8")
    secret.chmod(0o600)
    with ExitStack() as servers:
        tcp, udp = servers.enter_context(socket.socket()), servers.enter_context(_datagrams())
        path, abstract = servers.enter_context(_unix()), servers.enter_context(_unix())
        name = secrets.token_hex()
        for server, address in ((tcp, ("127.0.0.1", 0)), (udp, ("127.0.0.1", 0)), (path, str(outside / "server"))):
            server.bind(address)
        abstract.bind("\0" + name)
        for server in (tcp, path, abstract):
            server.listen()
        targets = {
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "path": str(outside / "server"),
            "abstract": name,
            "secret": str(secret),
            "outside": str(outside / "written"),
            "program": str(inside),
            "out": str(out),
            "seconds": SECONDS + GONE_SECONDS,
        }
        told = _run(level, targets, inside=inside, out=out)
        if isinstance(told, str):
            return Tried(level, {}, problem=told)
        seen = {
            "network": _arrived(tcp) or _arrived(udp),
            "unix_socket_with_a_path": _arrived(path),
            "unix_socket_without_a_path": _arrived(abstract),
        }
    seen["writing_outside"] = (outside / "written").exists() or (inside / "written").exists()
    seen["rights_outside"] = stat.S_IMODE(secret.stat().st_mode) != 0o600
    got = {**{attempt: "seen from outside" for attempt, happened in seen.items() if happened}, **told}
    return Tried(level, got, gaps=tuple(gap for gap in known_gaps(level) if gap in got))


def _run(level: Level, targets: Mapping[str, object], *, inside: Path, out: Path) -> dict[str, str] | str:
    """Start the canary under a stand-in of the supervisor, kill that, and see who stays; or say what went wrong."""
    said = json.dumps(targets)[:-1] + f', "supervisor": {decoy.OWN_NUMBER}}}'
    program = [sys.executable, "-I", "-S", str(Path(canary.__file__).resolve()), said]
    start = _start(level, program, inside=inside, out=out)
    asked = json.dumps({"arguments": start.arguments, "environment": start.environment, "folder": str(start.folder)})
    supervisor = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(decoy.__file__).resolve()), asked],
        env={**LANGUAGE, canary.SECRET.rstrip("="): secrets.token_hex()},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        answer = out / canary.ANSWER
        if not _until(SECONDS, lambda: answer.exists() or supervisor.poll() is not None):
            return f"the canary did not answer within {SECONDS:.0f} s"
        killed = supervisor.poll()
        if (not answer.exists() and killed is None) or (killed is not None and killed >= 0):
            return _words(supervisor)
        supervisor.kill()
        left = not _until(GONE_SECONDS, lambda: _is_free(out / canary.HELD))
        got = GOT.validate_json(hostile_files.read(answer, most=LARGEST_ANSWER)) if answer.exists() else {}
        return {**got, **({"signal_outside": "killed"} if killed else {}), **({LEFT_BEHIND: "alive"} if left else {})}
    except (OSError, ValidationError, hostile_files.NotRegularError) as error:
        return f"the canary's answer cannot be read: {error}"
    finally:
        supervisor.kill()
        supervisor.wait()
        if supervisor.stdout is not None:
            supervisor.stdout.close()


def _start(level: Level, program: list[str], *, inside: Path, out: Path) -> Command:
    seen = Seen(folder=inside, data=(), python=python_and_packages(), variables=LANGUAGE, cuda=False)
    if level == "process":
        return Command(program, dict(LANGUAGE), inside)
    walls = Walls(level=level, seen=seen, ceilings=Ceilings())
    return command(walls, out=out, program=program, environment=seen.variables, supervisor=decoy.OWN_NUMBER)


def _words(supervisor: "subprocess.Popen[bytes]") -> str:
    """Give what it printed before it ended: bubblewrap's reason, or ours."""
    printed, _ = supervisor.communicate()
    lines = printed.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"it ended with exit code {supervisor.returncode}, without a word"


def _is_free(file: Path) -> bool:
    """Tell whether nobody holds the lock."""
    with file.open("rb") as end:
        try:
            fcntl.flock(end, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _arrived(server: socket.socket) -> bool:
    server.settimeout(0)
    try:
        if server.type == socket.SOCK_DGRAM:
            server.recv(1)
        else:
            server.accept()[0].close()
    except OSError:
        return False
    return True


def _datagrams() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _unix() -> socket.socket:
    return socket.socket(socket.AF_UNIX)


def _until(seconds: float, happened: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(LOOK_EVERY)
    return True
