"""`docs/proof.md` tells of every rule where it was seen at work: known answers on diagnoses that are written by hand."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from benchmarks import proof
from benchmarks.fault_scores import cases, results
from benchmarks.fault_scores.proof_page import page
from benchmarks.fault_scores.results import Ended, Result, Settings
from benchmarks.fault_scores.sightings import Seen, sightings
from diagnoser.findings import Severity
from rules import proven
from rules.registry import find, rules

SOFTMAX = "softmax-before-cross-entropy"
RATE = "learning-rate-too-high"


def said(rule: str, severity: str, confidence: str = "high", **more: Any) -> dict[str, Any]:
    return {"id": rule, "rule": rule, "category": "loss", "severity": severity, "confidence": confidence, **more}


def result(
    name: str, *findings: dict[str, Any], primary: str | None = None, passed: tuple[str, ...] = (), **truth: Any
) -> Result:
    case = cases.parse({"id": name, "faulty": bool(truth.get("categories")), **truth}, corpus="small")
    diagnosis = {
        "verdict": "broken" if primary else "healthy",
        "primary": primary,
        "findings": [*findings],
        "passed": [{"rule": rule} for rule in passed],
    }
    return results.of_diagnosis(case, diagnosis, seconds=1.0)


FAULTY = result(
    "f1", said(SOFTMAX, "error"), said(RATE, "warning", "medium", explained_by=[SOFTMAX]),
    primary=SOFTMAX, categories=["loss"], rules=[SOFTMAX], held_out=True,
)  # fmt: skip
BESIDE = result("f2", said(RATE, "error"), said(SOFTMAX, "warning", "low"), primary=RATE, categories=["data"])
HEALTHY = result("h1", passed=(SOFTMAX, RATE))
HINTED = result("h2", said(SOFTMAX, "info", "low"), passed=(RATE,))
ALARMED = result("h3", said(RATE, "warning", "medium"), primary=RATE)
ALL = (FAULTY, BESIDE, HEALTHY, HINTED, ALARMED)


def look(*found: Result, rule: str = SOFTMAX, says_more_than_info: bool = True) -> Seen:
    return sightings(found, rule=rule, category="loss", says_more_than_info=says_more_than_info)


def text(*found: Result, rule: str = SOFTMAX, says_more_than_info: bool = True) -> str:
    seen = look(*found, rule=rule, says_more_than_info=says_more_than_info)
    return page([seen], found, day=date(2026, 11, 21))


def test_every_real_program_on_which_a_rule_spoke_is_told_with_its_place_in_the_report() -> None:
    seen = look(*ALL)
    assert [(one.program, one.severity, one.confidence, one.role, one.named, one.held_out) for one in seen.spoke] == [
        ("small/f1", "error", "high", "first", True, True),
        ("small/f2", "warning", "low", "cause", False, False),
    ]
    assert (seen.silent, seen.hinted, seen.alarmed) == (1, ("small/h2",), ())
    assert seen.proven


def test_a_finding_that_another_one_explains_is_a_symptom() -> None:
    assert [one.role for one in look(*ALL, rule=RATE).spoke] == ["first", "symptom"]


def test_a_false_alarm_proves_nothing() -> None:
    seen = look(HEALTHY, ALARMED, rule=RATE)
    assert not seen.proven
    assert (seen.silent, seen.alarmed) == (1, ("small/h3",))
    assert "it spoke only on healthy programs, wrongly: `small/h3`" in text(HEALTHY, ALARMED, rule=RATE)


def test_a_row_of_the_page_holds_it_all() -> None:
    row = next(line for line in text(*ALL).splitlines() if line.startswith(f"| `{SOFTMAX}`"))
    assert row == (
        f"| `{SOFTMAX}` | proven | `small/f1` ○ error, high, first ✓; `small/f2` warning, low, cause | 1 | 1 | 0 |"
    )


def test_an_alarm_on_a_healthy_program_is_named_in_its_row() -> None:
    row = next(line for line in text(*ALL, rule=RATE).splitlines() if line.startswith(f"| `{RATE}`"))
    assert row.endswith("| 2 | 0 | **1**: `small/h3` |")


def test_the_most_telling_programs_stand_in_a_row_and_the_rest_is_counted() -> None:
    many = [result(f"f{n}", said(SOFTMAX, "info"), categories=["data"]) for n in range(5)]
    row = next(line for line in text(*many, FAULTY).splitlines() if line.startswith(f"| `{SOFTMAX}`"))
    assert "| proven | `small/f1` ○ error, high, first ✓; `small/f0` info" in row
    assert "; and 3 more |" in row


def test_an_unproven_rule_that_may_say_more_than_a_hint_is_listed_at_the_end() -> None:
    told = text(HEALTHY).partition("## Unproven, and yet may say more than a hint")[2]
    assert f"* `{SOFTMAX}` (loss): it never spoke; it looked at 1 healthy program and was silent." in told
    unasked = text(result("h9")).partition("## Unproven")[2]
    assert "had nothing to judge on any healthy program" in unasked
    assert f"`{SOFTMAX}`" not in text(HEALTHY, says_more_than_info=False).partition("## Unproven")[2]


def test_a_rule_that_only_ever_gave_hints_is_proven_as_a_hint_only() -> None:
    told = text(HINTED).partition("## Proven as a hint only")[2]
    assert f"* `{SOFTMAX}` (loss): it gave a hint on 0 faulty and 1 healthy program." in told
    assert f"`{SOFTMAX}`" not in text(HINTED, FAULTY).partition("## Proven as a hint only")[2]


def test_a_hint_that_the_truth_asks_for_is_ticked_and_a_proof_like_any_other() -> None:
    asked_for = result("h4", said(SOFTMAX, "info"), hints=[SOFTMAX])
    seen = look(HINTED, asked_for)
    assert (seen.hinted, seen.expected) == (("small/h4", "small/h2"), ("small/h4",))
    assert seen.proof == proven.Proof(case="small/h4", severity=Severity.INFO, named=True)
    row = next(line for line in text(HINTED, asked_for).splitlines() if line.startswith(f"| `{SOFTMAX}`"))
    assert row.endswith("| proven |  | 0 | 2: `small/h4` ✓ | 0 |")


def test_an_alarm_where_a_hint_is_asked_for_is_a_false_alarm_still() -> None:
    too_loud = result("h5", said(SOFTMAX, "warning"), primary=SOFTMAX, hints=[SOFTMAX])
    seen = look(too_loud)
    assert (too_loud.false_alarm, seen.alarmed, seen.proof) == (True, ("small/h5",), None)


def test_the_proof_of_a_rule_is_the_most_telling_program() -> None:
    proof_of = look(*ALL).proof
    assert proof_of == proven.Proof(case="small/f1", severity=Severity.ERROR, named=True)
    assert look(HEALTHY).proof is None


def test_the_page_counts_programs_and_proofs() -> None:
    told = " ".join(text(*ALL, Result(case=HEALTHY.case, failure="timeout")).split())
    assert "6 programs were run: `small/` (2 faulty, 4 healthy). Runs that failed, and so show nothing: 1." in told
    assert "1 of 1 rules are." in told
    assert "made on 2026-11-21" in told


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        (SOFTMAX, True),  # an error by definition
        ("model-too-large-for-data", True),  # as grave as its experiment allows
        ("stochastic-validation-loss", False),
    ],
)
def test_what_a_rule_may_say_is_read_from_its_file(rule: str, more: bool) -> None:
    registered = find(rule)
    assert registered is not None
    assert proof.says_more_than_info(registered) is more


def test_the_command_writes_a_row_for_every_rule_there_is(tmp_path: Path) -> None:
    folder = tmp_path / "kept" / "small" / "f1"
    folder.mkdir(parents=True)
    settings = Settings(preset="standard", budget="2m")
    ended = Ended(case=FAULTY.case, program="0a1b", settings=settings, seconds=1.0)
    (folder / "run.json").write_text(ended.model_dump_json(), encoding="utf-8")
    diagnosis = {"verdict": "broken", "primary": SOFTMAX, "findings": [said(SOFTMAX, "error")]}
    (folder / "diagnosis.json").write_text(json.dumps(diagnosis), encoding="utf-8")
    out, ledger = tmp_path / "proof.md", tmp_path / "proven.json"
    assert proof.main([str(tmp_path / "kept"), "--out", str(out), "--ledger", str(ledger)]) == 0
    rows = [line for line in out.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows if " | proven | " in row] == [SOFTMAX]
    assert sorted(row.split("`")[1] for row in rows) == [rule.id for rule in rules()]
    assert proven.read(ledger.read_text(encoding="utf-8")) == {SOFTMAX: look(FAULTY).proof}


def test_a_folder_that_another_scorer_filled_is_read_with_the_truth_of_its_corpus(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    truth = {"cases": [{"id": "f1", "faulty": True, "categories": ["loss"], "rules": [SOFTMAX]}]}
    (tmp_path / "small" / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    (tmp_path / "theirs" / "f1").mkdir(parents=True)
    diagnosis = {"verdict": "broken", "primary": SOFTMAX, "findings": [said(SOFTMAX, "error")]}
    (tmp_path / "theirs" / "f1" / "diagnosis.json").write_text(json.dumps(diagnosis), encoding="utf-8")
    (found,) = proof.kept([tmp_path / "theirs"], corpora=[tmp_path / "small"])
    assert (found.case.id, found.remark) == ("f1", "rule")


def test_where_nothing_is_kept_no_page_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert proof.main([str(tmp_path), "--out", str(tmp_path / "proof.md")]) == 2
    assert not (tmp_path / "proof.md").exists()
    assert "no diagnosis of a corpus" in capsys.readouterr().err
