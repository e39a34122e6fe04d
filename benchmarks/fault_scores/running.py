"""How is a case run? `diagnoser run` as a program of its own, with nothing kept from before, as a user's first time."""

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


def place(out: Path, case: Case, *, seed: int | None) -> Path:
    """Say where the results of a case are kept; each asked seed has a folder of its own."""
    return (out if seed is None else out / f"seed-{seed}") / case.corpus / case.id


def run(case: Case, spec: Path, *, settings: Settings, folder: Path, timeout: float) -> Result:
    """Diagnose one case, keep what was written and printed, and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in WRITTEN:
        (folder / name).unlink(missing_ok=True)
    start = time.monotonic()
    failure = _diagnose(spec, settings=settings, folder=folder, timeout=timeout)
    ended = Ended(case=case, settings=settings, seconds=time.monotonic() - start, failure=failure)
    (folder / results.RUN).write_text(ended.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return results.read(case, folder)


def run_all(
    cases: Sequence[tuple[Case, Path]], *, settings: Settings, out: Path, jobs: int, timeout: float, only_missing: bool
) -> Iterator[Result]:
    """Run cases side by side, results in their order; with `only_missing`, what was kept under these settings stays."""

    def one(case: Case, spec: Path) -> Result:
        folder = place(out, case, seed=settings.seed).resolve()
        if only_missing and is_kept(folder, settings=settings):
            return results.read(case, folder)
        return run(case, spec, settings=settings, folder=folder, timeout=timeout)

    pool = ThreadPoolExecutor(max(1, jobs))
    try:
        yield from pool.map(one, *zip(*cases, strict=True))
    finally:  # Ctrl-C: what is under way ends within its budget, nothing new is begun
        pool.shutdown(wait=False, cancel_futures=True)


def is_kept(folder: Path, *, settings: Settings) -> bool:
    """Whether a result under these settings is there."""
    ended = results.read_ended(folder)
    return ended is not None and ended.settings == settings


def read_all(cases: Sequence[Case], *, out: Path, seed: int | None) -> Iterator[Result]:
    """Read what is kept; a case without a folder was not run and is left out.

    A folder of one corpus may hold its cases directly, as other scorers keep them.
    """
    for case in cases:
        folders = [place(out, case, seed=seed)]
        if len({case.corpus for case in cases}) == 1 and seed is None:
            folders.append(out / case.id)
        folder = next((folder for folder in folders if folder.is_dir()), None)
        if folder is not None:
            yield results.read(case, folder)


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
