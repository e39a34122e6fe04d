"""A small corpus, and the folder that a run over it leaves."""

import json
from pathlib import Path

import pytest

from benchmarks.fault_scores import cases
from tests.helpers.scored_cases import SAID, TRUTH, keep


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "truth.json").write_text(json.dumps({"cases": TRUTH}), encoding="utf-8")
    for case in TRUTH:
        (folder / case["id"]).mkdir()
        (folder / case["id"] / "diagnose.yaml").write_text("name: it\n", encoding="utf-8")
    return folder


@pytest.fixture
def kept(corpus: Path, tmp_path: Path) -> Path:
    """A folder as a run leaves it."""
    out = tmp_path / "kept"
    for case, spec in cases.choose([corpus], only=None, part="all"):
        seconds, said = SAID[case.id]
        keep(out / "small" / case.id, case, spec, said, seconds=seconds)
    return out
