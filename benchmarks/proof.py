"""Which rules have been seen at work on a real program? Writes `docs/proof.md` from what `benchmarks/faults.py` kept.

    python -m benchmarks.proof FOLDER... --out docs/proof.md [--corpus CORPUS ...] [--ledger rules/proven.json]

FOLDER is one that `python -m benchmarks.faults --keep FOLDER` has filled. With `--corpus` it may also be one that
another scorer has filled with a folder per case: the truth is then read from the corpus. `--ledger` writes down one
program for each rule that has been seen at work: what the engine goes by (`rules/proven.py`).
"""

import argparse
import ast
import importlib
import inspect
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.fault_scores import cases, results, running
from benchmarks.fault_scores.proof_page import page
from benchmarks.fault_scores.results import Result
from benchmarks.fault_scores.sightings import Seen, sightings
from benchmarks.reporting import say
from rules.proven import written
from rules.registry import Registered, rules

ONLY_INFO = "Severity.INFO"


def kept(folders: Sequence[Path], *, corpora: Sequence[Path] = ()) -> tuple[Result, ...]:
    """Read every kept case, each program once: the first folder that has it counts."""
    found: dict[tuple[str, str], Result] = {}
    for folder in folders:
        for result in (*_written_down(folder), *_of_corpora(folder, corpora)):
            found.setdefault((result.case.corpus, result.case.id), result)
    return tuple(found[name] for name in sorted(found))


def says_more_than_info(rule: Registered) -> bool:
    """Whether its file gives any severity but `info`: each `severity=` in it is looked at."""
    module = importlib.import_module(f"{rule.package}.{rule.page.removesuffix('.md')}")
    given = [
        ast.unparse(keyword.value)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "severity"
    ]
    return not given or any(words != ONLY_INFO for words in given)


def seen(found: Sequence[Result], catalogue: Iterable[Registered]) -> tuple[Seen, ...]:
    """Tell of every rule where it spoke and where it was silent."""
    return tuple(
        sightings(found, rule=rule.id, category=rule.category, says_more_than_info=says_more_than_info(rule))
        for rule in catalogue
    )


def _written_down(folder: Path) -> Iterable[Result]:
    for file in sorted(folder.glob(f"*/*/{results.RUN}")):
        ended = results.read_ended(file.parent)
        if ended is not None:
            yield results.read(ended.case, file.parent)


def _of_corpora(folder: Path, corpora: Sequence[Path]) -> Iterable[Result]:
    for corpus in corpora:
        yield from running.read_all(cases.read(corpus), out=folder, seed=None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; 2 when there is nothing to write about."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--corpus", action="append", default=[], type=Path, help="truth for folders without run.json")
    parser.add_argument("--ledger", type=Path, help="write there which rules are proven, and by which program")
    asked = parser.parse_args(arguments)
    found = kept(asked.folders, corpora=asked.corpus)
    if not found:
        say(f"proof: no diagnosis of a corpus in {', '.join(map(str, asked.folders))}")
        return 2
    every = seen(found, rules())
    asked.out.write_text(page(every, found, day=datetime.now(UTC).date()), encoding="utf-8")
    say(f"{asked.out}: {len(found)} programs")
    if asked.ledger is not None:
        proofs = {one.rule: one.proof for one in every if one.proof is not None}
        asked.ledger.write_text(written(proofs), encoding="utf-8")
        say(f"{asked.ledger}: {len(proofs)} rules")
    return 0


if __name__ == "__main__":
    sys.exit(main())
