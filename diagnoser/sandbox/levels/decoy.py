"""A supervisor to be killed: `python -I -S decoy.py START` starts one program as the real one does, and waits.

START is a JSON object: arguments, environment, folder. `@SUPERVISOR@` in an argument becomes its own number.
"""

import json
import os
import subprocess
import sys

OWN_NUMBER = "@SUPERVISOR@"


def main(start: str) -> None:
    """Start and wait."""
    asked = json.loads(start.replace(OWN_NUMBER, str(os.getpid())))
    subprocess.Popen(
        asked["arguments"], env=asked["environment"], cwd=asked["folder"], stdin=subprocess.DEVNULL,
        start_new_session=True,
    ).wait()  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
