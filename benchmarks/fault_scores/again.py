"""What would the present rules say of kept evidence? Judges it again; nothing is trained.

A fix that a rule proposes only now was not tried, and what a new probe would have seen is not there: for sure figures
the cases are run again.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.fault_scores import results, running
from benchmarks.fault_scores.cases import Case
from benchmarks.fault_scores.results import Result
from diagnoser.errors import UsageError
from diagnoser.evidence.reading import read_evidence
from rules.engine import judge

EVIDENCE = "evidence.json"


def judge_all(cases: Sequence[Case], *, out: Path, seed: int | None) -> Iterator[Result]:
    """Judge every kept case; a case without evidence keeps its failure."""
    for kept in running.read_all(cases, out=out, seed=seed):
        folder = running.folder_of(cases, kept.case, out=out, seed=seed)
        yield kept if kept.failure or folder is None else _judged(kept, folder / EVIDENCE)


def _judged(kept: Result, file: Path) -> Result:
    try:
        evidence = read_evidence(file.read_text(encoding="utf-8"))
    except (OSError, UsageError) as error:
        return Result(case=kept.case, seconds=kept.seconds, failure=f"unreadable: {type(error).__name__}")
    diagnosis = judge(evidence).model_dump(mode="json")
    return results.of_diagnosis(kept.case, diagnosis, seconds=kept.seconds)
