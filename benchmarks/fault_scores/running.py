"""How is a case run? `diagnoser run` as a program of its own, with nothing kept from before, as a user's first time."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.fault_scores import results
from benchmarks.fault_scores.cases import Case
from benchmarks.fault_scores.results import Ended, Result, Settings

TIMEOUT = 600.0  # seconds; five times the usual budget: who comes so far hangs
CONSOLE = "console.txt"
WRITTEN = ("diagnosis.json", "evidence.json", "report.html", results.RUN)
SIMPLER = "simple.json"
"""What simpler ways said of the program (`baselines.py`): it costs as much as a diagnosis and knows nothing of ours."""


def place(out: Path, case: Case, *, seed: int | None) -> Path:
    """Say where the results of a case are kept; each asked seed has a folder of its own."""
    return (out if seed is None else out / f"seed-{seed}") / case.corpus / case.id


def run(case: Case, spec: Path, *, settings: Settings, folder: Path, timeout: float) -> Result:
    """Diagnose one case, keep what was written and printed, and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    before, program = results.read_ended(folder), hash_of(spec.parent)
    is_same = before is not None and before.program == program
    for name in (*WRITTEN, *(() if is_same else (SIMPLER,))):
        (folder / name).unlink(missing_ok=True)
    start = time.monotonic()
    failure = _diagnose(spec, settings=settings, folder=folder, timeout=timeout)
    ended = Ended(
        case=case,
        program=program,
        settings=settings,
        seconds=time.monotonic() - start,
        failure=failure,
    )
    (folder / results.RUN).write_text(ended.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return results.read(case, folder)


def run_all(
    cases: Sequence[tuple[Case, Path]], *, settings: Settings, out: Path, jobs: int, timeout: float, only_missing: bool
) -> Iterator[Result]:
    """Run cases side by side, results in their order; with `only_missing`, what was kept under these settings stays."""

    def one(case: Case, spec: Path) -> Result:
        folder = place(out, case, seed=settings.seed).resolve()
        if only_missing and is_kept(folder, spec, settings=settings):
            return results.read(case, folder)
        return run(case, spec, settings=settings, folder=folder, timeout=timeout)

    pool = ThreadPoolExecutor(max(1, jobs))
    try:
        yield from pool.map(one, *zip(*cases, strict=True))
    finally:  # Ctrl-C: what is under way ends within its budget, nothing new is begun
        pool.shutdown(wait=False, cancel_futures=True)


def is_kept(folder: Path, spec: Path, *, settings: Settings) -> bool:
    """Whether a result of this very program under these settings is there, by whatever version of ours."""
    ended = results.read_ended(folder)
    return ended is not None and ended.settings == settings and ended.program == hash_of(spec.parent)


def hash_of(program: Path) -> str:
    """Hash the files of a case: an id may come to mean another program."""
    found = hashlib.sha256()
    for file in sorted(path for path in program.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        found.update(f"{file.relative_to(program)}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()


def read_all(cases: Sequence[Case], *, out: Path, seed: int | None) -> Iterator[Result]:
    """Read what is kept; a case without a folder was not run and is left out."""
    for case in cases:
        folder = folder_of(cases, case, out=out, seed=seed)
        if folder is not None:
            yield results.read(case, folder)


def folder_of(cases: Sequence[Case], case: Case, *, out: Path, seed: int | None) -> Path | None:
    """Find where a case is kept; None: nowhere. A folder of one corpus may hold its cases without the corpus' name."""
    folders = [place(out, case, seed=seed)]
    if len({one.corpus for one in cases}) == 1 and seed is None:
        folders.append(out / case.id)
    return next((folder for folder in folders if folder.is_dir()), None)


def _diagnose(spec: Path, *, settings: Settings, folder: Path, timeout: float) -> str | None:
    """Run the program; in words how it failed, if it did."""
    asked = ["--preset", settings.preset, "--budget", settings.budget]
    if settings.seed is not None:
        asked += ["--seed", str(settings.seed)]
    command = [sys.executable, "-P", "-m", "diagnoser", "run", str(spec), "--out", str(folder), *asked]
    with tempfile.TemporaryDirectory(prefix="faults-") as cache, (folder / CONSOLE).open("wb") as console:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"DIAGNOSER_CACHE": cache, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its children too
            process.wait()
            return "timeout"
    return f"exit {code}" if code else None
