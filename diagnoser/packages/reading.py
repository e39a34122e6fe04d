"""How is a package read that anybody may have written? Strictly, in a process of its own with bounded time and memory.

Covers: links, `..`, absolute paths, devices, sparse files, names that mislead, two spellings of one path, bombs, huge
counts, damaged and padded archives: refused with a reason, and nothing is left behind. Does not cover: what the files
say (user code runs in the sandbox alone), and a fault in zlib itself, of which the process sees no secret.
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

from pydantic import ValidationError

from diagnoser.errors import EngineError
from diagnoser.packages.answers import Answer, Taken
from diagnoser.packages.manifest import Manifest
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.sizes import LIMITS, Limits, spelled

GRACE = 10.0  # seconds beyond the process's own alarm
LONGEST_ANSWER = 16_000_000  # bytes: 5,000 files with the longest paths have 6 MB
CLEAN = ("-E", "-P", "-s", "-X", "utf8")  # neither PYTHONPATH, nor the current folder, nor the user's site
LAST_LINES = 3


def read_package(archive: Path, into: Path, *, limits: Limits = LIMITS) -> Manifest:
    """Unpack an archive into a new folder, and say what was in it.

    Raises PackageError with the reason; the folder is gone again then. Raises FileExistsError where `into` is there.
    """
    if archive.stat().st_size > limits.packed:
        raise PackageError(f"the archive is larger than {spelled(limits.packed)}")
    into.mkdir()
    try:
        into.chmod(0o755)  # whatever the umask: the sandbox reads it as another user
        return _read_in_a_process(archive, into.absolute(), limits=limits)
    except BaseException:
        shutil.rmtree(into)
        raise


def _read_in_a_process(archive: Path, into: Path, *, limits: Limits) -> Manifest:
    command = [sys.executable, *CLEAN, "-m", "diagnoser.packages"]
    command += ["--into", str(into), "--limits", limits.model_dump_json()]
    with archive.open("rb") as file:
        try:
            done = subprocess.run(
                command, stdin=file, capture_output=True, env={}, timeout=limits.seconds + GRACE, check=False
            )
        except subprocess.TimeoutExpired:
            raise PackageError(_too_long(limits)) from None
    if done.returncode == -signal.SIGALRM:
        raise PackageError(_too_long(limits))
    if done.returncode == -signal.SIGXCPU:
        raise PackageError(f"reading the archive takes more than {limits.cpu_seconds} s of processor time")
    if done.returncode != 0 or len(done.stdout) > LONGEST_ANSWER:
        raise EngineError(f"reading a package failed with exit code {done.returncode}:\n{_last(done.stderr)}")
    try:
        answer = Answer.model_validate_json(done.stdout).root
    except ValidationError as error:
        raise EngineError(f"the process that reads packages answered something else: {error}") from None
    if isinstance(answer, Taken):
        return answer.manifest
    raise PackageError(answer.because)


def _too_long(limits: Limits) -> str:
    return f"reading the archive takes more than {limits.seconds} s"


def _last(output: bytes) -> str:
    return "\n".join(output.decode("utf-8", "replace").strip().splitlines()[-LAST_LINES:])
