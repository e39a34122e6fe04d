"""Which cases does the benchmark run, what does it keep of them, and what does it print?"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks import faults
from benchmarks.fault_scores import again, baselines, cases, running, simple
from benchmarks.fault_scores.cases import CorpusError
from benchmarks.fault_scores.results import Settings
from tests.helpers import make
from tests.helpers.scored_cases import (
    SETTINGS,
    TRUTH,
    case,
    diagnosis,
    entry,
)

PARTS: tuple[cases.Part, ...] = ("development", "held-out", "all")
HEALTHY = Path(__file__).parents[1] / "faults" / "healthy"


def test_what_is_held_out_can_be_left_aside(corpus: Path) -> None:
    with_parts = [one | {"held_out": number < 2} for number, one in enumerate(TRUTH)]
    (corpus / "truth.json").write_text(json.dumps({"cases": with_parts}), encoding="utf-8")
    chosen = {part: [one.id for one, _ in cases.choose([corpus], only=None, part=part)] for part in PARTS}
    assert chosen["held-out"] == ["f1", "f2"]
    assert chosen["development"] == [one["id"] for one in TRUTH[2:]]
    assert len(chosen["all"]) == len(TRUTH)
    groups = cases.groups(cases.read(corpus))
    assert {name: len(members) for name, members in groups.items()} == {
        "small": 9, "small, development": 7, "small, held out": 2,
    }  # fmt: skip


def test_an_id_that_no_corpus_has_is_a_mistake_of_the_call(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CorpusError, match="f9"):
        cases.choose([corpus], only="f1,f9", part="all")
    assert faults.main([str(corpus), "--only", "f9", "--from", "nowhere"]) == 2
    assert "no such case: f9" in capsys.readouterr().err


def test_a_result_is_kept_for_the_same_program_and_settings_only(corpus: Path, kept: Path) -> None:
    folder, spec = kept / "small" / "f1", corpus / "f1" / "diagnose.yaml"
    assert running.is_kept(folder, spec, settings=SETTINGS)
    assert not running.is_kept(folder, spec, settings=Settings(preset="standard", budget="5m"))
    spec.write_text("name: another\n", encoding="utf-8")
    assert not running.is_kept(folder, spec, settings=SETTINGS)
    assert not running.is_kept(kept / "small" / "f9", spec, settings=SETTINGS)


def test_a_program_that_cannot_be_read_fails_with_its_exit_code_and_its_words_are_kept(
    corpus: Path, tmp_path: Path
) -> None:
    (corpus / "f1" / "diagnose.yaml").write_text("no_such_key: 1\n", encoding="utf-8")
    (chosen,) = cases.choose([corpus], only="f1", part="all")
    how: dict[str, Any] = {"settings": SETTINGS, "out": tmp_path / "out", "jobs": 1, "timeout": 120.0}
    (result,) = running.run_all([chosen], only_missing=False, **how)
    assert result.failure is not None
    assert result.failure.startswith("exit ")
    assert "no_such_key" in (tmp_path / "out" / "small" / "f1" / "console.txt").read_text(encoding="utf-8")
    (again_,) = running.run_all([chosen], only_missing=True, **how)
    assert again_ == result, "the failure is kept too, with the seconds of the first run"


def test_kept_folders_are_scored_and_printed_without_running_anything(
    corpus: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept / "small" / "f5" / "run.json").unlink()
    (kept / "small" / "f5").rmdir()
    assert faults.main([str(corpus), "--from", str(kept)]) == 0
    printed = capsys.readouterr().out
    assert "75.0 % (30-95) of 4" in printed
    assert "33.3 % (6-79) of 3" in printed
    assert "1 of 9 cases were not run and are left out" in printed


def test_the_first_seed_is_scored_and_the_others_are_compared_with_it(
    corpus: Path, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (3, 4):
        shutil.copytree(kept, tmp_path / "seeds" / f"seed-{seed}")
    changed = tmp_path / "seeds" / "seed-4" / "small" / "f1" / "diagnosis.json"
    changed.write_text(json.dumps(diagnosis("healthy")), encoding="utf-8")
    assert faults.main([str(corpus), "--from", str(tmp_path / "seeds"), "--seeds", "3,4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["figures"]["small"]["detection"]["hits"] == 3
    assert (found["seeds"]["programs"], found["seeds"]["verdict"]["hits"], found["seeds"]["verdict"]["of"]) == (9, 6, 9)
    assert faults.main([str(corpus), "--from", str(tmp_path / "seeds"), "--seeds", "3,4"]) == 0
    assert "pairs of seeds of 9 programs" in capsys.readouterr().out


def test_the_json_has_every_table(corpus: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert faults.main([str(corpus), "--from", str(kept), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    detection = found["figures"]["small"]["detection"]
    assert (detection["hits"], detection["of"], detection["share"]) == (3, 5, 0.6)
    assert [len(found[name]) for name in ("rows", "confusion", "rules", "calibration")] == [9, 9, 5, 3]


def test_kept_evidence_can_be_judged_by_the_present_rules(corpus: Path, kept: Path) -> None:
    one_value = make.target_profile(distinct=1, mean=0, std=0)
    broken = make.evidence(data=make.data_profile(targets=one_value))
    for name, evidence in {"h1": make.evidence(), "h2": broken}.items():
        (kept / "small" / name / "evidence.json").write_text(evidence.model_dump_json(), encoding="utf-8")
    found = {one.case.id: one for one in again.judge_all(cases.read(corpus), out=kept, seed=None)}
    assert (found["h1"].verdict, found["h1"].seconds) == ("healthy", 10)
    assert (found["h2"].verdict, found["h2"].primary_rule) == ("broken", "targets-constant")
    assert found["f1"].failure == "unreadable: FileNotFoundError"
    assert found["f5"].failure == "timeout"


def test_what_simpler_ways_said_stays_as_long_as_the_program_is_the_same(corpus: Path, tmp_path: Path) -> None:
    spec = corpus / "f1" / "diagnose.yaml"
    spec.write_text("no_such_key: 1\n", encoding="utf-8")
    folder = tmp_path / "out" / "f1"

    def run() -> None:
        running.run(case("f1", "loss"), spec, settings=SETTINGS, folder=folder, timeout=120.0)

    run()
    (folder / running.SIMPLER).write_text("{}", encoding="utf-8")
    run()
    assert (folder / running.SIMPLER).is_file()
    spec.write_text("another_key: 1\n", encoding="utf-8")
    run()
    assert not (folder / running.SIMPLER).is_file()


@pytest.mark.slow
def test_a_real_program_is_diagnosed_kept_and_given_to_simpler_ways(tmp_path: Path) -> None:
    corpus = tmp_path / "one"
    shutil.copytree(HEALTHY / "wine-mlp", corpus / "f1", ignore=shutil.ignore_patterns("__pycache__"))
    # What is true of it does not matter here: random search is asked about programs that are called faulty.
    (corpus / "truth.json").write_text(json.dumps({"cases": [entry("f1", "data")]}), encoding="utf-8")
    chosen = cases.choose([corpus], only=None, part="all")
    settings = Settings(preset="quick", budget="30s", seed=1)
    (result,) = running.run_all(
        chosen, settings=settings, out=tmp_path / "out", jobs=1, timeout=300.0, only_missing=False
    )
    folder = tmp_path / "out" / "seed-1" / "one" / "f1"
    assert result.failure is None, (folder / "console.txt").read_text(encoding="utf-8")
    assert json.loads((folder / "diagnosis.json").read_text(encoding="utf-8"))["spec"]["seed"] == 1
    baselines.ask([result], {("one", "f1"): chosen[0][1]}, {("one", "f1"): folder})
    said = simple.Simple.model_validate_json((folder / running.SIMPLER).read_text(encoding="utf-8"))
    assert said.memorised is not None
    assert said.initial_loss_ratio == pytest.approx(1.0, abs=0.5)
    assert said.repair is not None
    assert said.repair.tried >= simple.AT_ONCE
    assert said.repair.changes.keys() == {"optimizer.lr", "optimizer.weight_decay"}
    assert said.repair.state in {"verified", "refuted", "inconclusive"}
