"""Is the corpus in the form of the contract, large enough, and silent about its own truth? Nothing trains."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fault_scores import cases
from diagnoser.spec.yaml_text import read_yaml
from tests.faults import build, figures, measure, numbering, programs
from tests.faults.faults import FAULTS

# What score.py wants of a case, and what our contract adds to it.
KEYS = {"id", "name", "faulty", "categories", "rules", "effect", "note", "measured", "source", "pair", "family"}
OURS = {"held_out", "program", "operator", "hints"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus")
    build.build(out)
    return out


@pytest.fixture(scope="module")
def truth(corpus: Path) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((corpus / "truth.json").read_text(encoding="utf-8"))["cases"]
    return cases


def test_there_are_as_many_cases_of_as_many_kinds_as_promised(truth: list[dict[str, Any]]) -> None:
    faulty = [case for case in truth if case["faulty"]]
    assert len(faulty) >= 60
    assert len({case["program"] for case in faulty}) >= 10
    assert len(truth) - len(faulty) >= 60


def test_about_a_third_is_held_out_of_the_faulty_and_of_the_healthy(truth: list[dict[str, Any]]) -> None:
    for faulty in (True, False):
        aside = [case["held_out"] for case in truth if case["faulty"] is faulty]
        assert 0.25 <= sum(aside) / len(aside) <= 0.42


def test_whether_a_case_is_held_out_hangs_on_its_id_alone() -> None:
    assert [numbering.held_out(f"m{n:03}") for n in range(1, 7)] == [
        numbering.held_out(f"m{n:03}") for n in range(1, 7)
    ]
    assert {numbering.held_out(f"m{n:03}") for n in range(1, 30)} == {True, False}


def test_every_case_has_a_folder_and_every_folder_a_case(corpus: Path, truth: list[dict[str, Any]]) -> None:
    assert {case["id"] for case in truth} == {path.name for path in corpus.iterdir() if path.is_dir()}
    assert len({case["id"] for case in truth}) == len(truth)
    for case in truth:
        assert {path.name for path in (corpus / case["id"]).iterdir()} >= {"diagnose.yaml", "project.py"}


def test_the_truth_has_the_keys_of_the_contract(truth: list[dict[str, Any]]) -> None:
    known = {case["id"] for case in truth}
    for case in truth:
        assert case.keys() == KEYS | OURS
        assert case["faulty"] == bool(case["categories"]) == bool(case["rules"])
        assert bool(case["operator"]) == (case["faulty"] or bool(case["hints"]))
        assert case["pair"] in known if case["faulty"] else case["pair"] is None


def test_a_program_with_a_hint_is_healthy_and_says_why_the_hint_is_due(truth: list[dict[str, Any]]) -> None:
    hinted = [case for case in truth if case["hints"]]
    assert len(hinted) >= 3
    for case in hinted:
        assert (case["faulty"], case["effect"], case["categories"], case["rules"]) == (False, None, [], [])
        assert case["note"]


def test_the_scorer_of_the_benchmark_reads_the_hints_and_takes_their_programs_for_healthy(corpus: Path) -> None:
    hinted = [case for case in cases.read(corpus) if case.hints]
    assert hinted
    assert not any(case.faulty or case.categories or case.rules for case in hinted)


def test_a_folder_says_nothing_about_what_is_wrong_in_it(corpus: Path, truth: list[dict[str, Any]]) -> None:
    for case in truth:
        for path in (corpus / case["id"]).iterdir():
            text = re.sub(r"[\W_]+", " ", path.read_text(encoding="utf-8").lower())
            for told in (*case["rules"], *case["hints"], case["operator"] or "fault operator"):
                assert re.sub(r"[\W_]+", " ", told) not in text, (case["id"], told)


def test_an_id_once_given_stays_and_new_ones_go_on_behind() -> None:
    first = numbering.with_new(["a", "b"], {})
    later = numbering.with_new(["a", "b", "c"], first)
    assert sorted(first.values()) == ["m001", "m002"]
    assert {key: later[key] for key in first} == first
    assert later["c"] == "m003"


def test_only_some_cases_are_written_when_only_some_are_asked_for(tmp_path: Path, truth: list[dict[str, Any]]) -> None:
    one = next(case for case in truth if case["faulty"])
    assert build.build(tmp_path, only=[one["id"]]) == 1
    (case,) = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["cases"]
    assert case["id"] == one["id"]
    assert case["pair"] is None
    with pytest.raises(ValueError, match="m999"):
        build.build(tmp_path, only=["m999"])


def test_the_spec_is_written_as_it_was_read() -> None:
    for name in programs.healthy_names():
        spec = programs.read(name).spec
        assert read_yaml(programs.as_yaml(spec), file="diagnose.yaml").value == spec


def test_figures_of_files_that_have_changed_since_are_not_shown() -> None:
    program = programs.read("iris-mlp")
    now = {"files": figures.fingerprint(program), "val": 0.9}
    assert figures.of(program, "iris-mlp", {"iris-mlp": now}) == now
    assert figures.of(program, "iris-mlp", {"iris-mlp": now | {"files": "other"}}) is None
    assert figures.of(program, "iris-mlp", {}) is None


def test_a_fault_that_was_measured_is_worse_on_every_seed_or_says_why_not() -> None:
    measured = figures.read()
    judged = 0
    for fault in (fault for fault in FAULTS if fault.faulty):
        found = figures.of(fault.program_with_fault(), fault.key, measured)
        twin = figures.of(programs.read(fault.program), fault.program, measured)
        if found is None or twin is None:
            continue
        judged += 1
        assert measure.worse(found, twin) or fault.effect == "silent", fault.key
    assert judged >= 60


@pytest.mark.parametrize(
    ("ours", "twin", "higher", "expected"),
    [
        ([0.5, 0.6, 0.7], [0.9, 0.9, 0.9], True, True),
        ([0.5, 0.6, 0.9], [0.9, 0.9, 0.9], True, False),
        ([1.5, 1.6, 1.7], [0.9, 0.9, 0.9], False, True),
        ([None, None, None], [0.9, 0.9, 0.9], True, True),
        ([0.5, 0.6, 0.7], [0.9, None, 0.9], True, None),
    ],
)
def test_worse_means_worse_on_each_seed(
    ours: list[float | None], twin: list[float | None], *, higher: bool, expected: bool | None
) -> None:
    healthy = {"metric": "accuracy", "higher_is_better": higher, "val_by_seed": twin}
    assert measure.worse({"metric": "accuracy", "higher_is_better": higher, "val_by_seed": ours}, healthy) is expected


def test_figures_of_different_metrics_are_not_compared() -> None:
    healthy = {"metric": "accuracy", "higher_is_better": True, "val_by_seed": [0.9]}
    assert measure.worse({"metric": "r2", "higher_is_better": True, "val_by_seed": [0.1]}, healthy) is None
