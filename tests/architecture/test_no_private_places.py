"""No file of the project names a folder of one machine, or the host of one package registry."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Spelt apart, or this file would be the first to be found.
FOLDERS = ("work", "farm", "root", "opt", "tmp/venv")
HOSTS = ("pypi", "org"), ("python" + "hosted", "org"), ("download.py" + "torch", "org"), ("conda.ana" + "conda", "org")
JOBS = "bash" + "_jobs"

PLACES = {
    **{f"the folder {folder}": rf"(?<![\w.:/~<-])/{folder}/\w" for folder in FOLDERS},
    **{f"the host {name}": re.escape(f"{name}.{top}") for name, top in HOSTS},
    "a job of a shell": JOBS,
    "a file of file:": r"file:///\w",
}


def texts() -> dict[str, str]:
    """Every file that git tracks or would add, and that is text."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    files = {name: ROOT / name for name in listed.split("\0") if name}
    raw = {name: path.read_bytes() for name, path in files.items() if path.is_file()}
    return {name: content.decode("utf-8", "replace") for name, content in raw.items() if b"\0" not in content}


@pytest.mark.parametrize("place", PLACES)
def test_no_file_names(place: str) -> None:
    pattern = re.compile(PLACES[place])
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts().items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found
