"""The process that reads one package: `python -E -P -m diagnoser.packages --into DIR --limits JSON < ARCHIVE`.

It bounds itself before it looks at the first byte, so that a bomb costs seconds and not the machine, and it sees
nothing of the environment of who asked.
"""

import argparse
import os
import resource
import signal
import sys
from pathlib import Path

from diagnoser.packages.answers import Answer, Refused, Taken
from diagnoser.packages.refusal import PackageError
from diagnoser.packages.sizes import Limits
from diagnoser.packages.unpacking import unpack

OPEN_FILES = 64


def main() -> None:
    """Read the archive on stdin into a folder, and answer on stdout."""
    parser = argparse.ArgumentParser(prog="python -m diagnoser.packages", description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="the empty folder that the files go to")
    parser.add_argument("--limits", type=Limits.model_validate_json, default=Limits(), help="as JSON")
    asked = parser.parse_args()
    _bound(asked.limits)
    answer: Taken | Refused
    try:
        answer = Taken(manifest=unpack(sys.stdin.buffer, asked.into, limits=asked.limits))
    except PackageError as error:
        answer = Refused(because=str(error))
    sys.stdout.write(Answer(answer).model_dump_json())


def _bound(limits: Limits) -> None:
    for kind, most, above in (
        (resource.RLIMIT_CPU, limits.cpu_seconds, 1),  # at the upper one it is killed without a word
        (resource.RLIMIT_AS, limits.memory, 0),
        (resource.RLIMIT_FSIZE, limits.unpacked, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        _, hard = resource.getrlimit(kind)
        ceiling = most + above if hard == resource.RLIM_INFINITY else min(most + above, hard)
        resource.setrlimit(kind, (min(most, ceiling), ceiling))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
    signal.alarm(limits.seconds)  # ends this process even when nobody waits for it any more
    os.umask(0o022)


if __name__ == "__main__":
    main()
