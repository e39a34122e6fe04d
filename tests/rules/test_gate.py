"""May this change go in?"""

import pytest

from diagnoser.findings import Diagnosis
from diagnoser.spec.fields import Gate, Ignore, Rules
from rules.engine import judge
from rules.gate import gate
from rules.registry import Registered
from rules.rule import Finding
from tests.helpers import make, toy_rules
from tests.helpers.toy_rules import always, finding

ERROR = finding()
WARNING = finding(severity="warning")
UNSURE = finding(confidence="medium")


def diagnosed(*catalogue: Registered, records: dict[str, object] | None = None, **limits: object) -> Diagnosis:
    spec = make.spec(gate=Gate.model_validate(limits))
    return judge(make.evidence(spec=spec, **(records or {})), catalogue=catalogue)


def wrong(*said: Finding, id: str = "wrong") -> Registered:
    return always(*said, id=id)


def test_a_sure_error_stops_a_change() -> None:
    result = gate(diagnosed(wrong(ERROR)))
    assert (result.outcome, result.exit_code) == ("failed", 1)
    assert result.because == "1 finding stops it: wrong"


@pytest.mark.parametrize("said", [WARNING, UNSURE, finding(severity="info")])
def test_what_is_slight_or_unsure_does_not_and_the_reader_is_told_why(said: Finding) -> None:
    result = gate(diagnosed(wrong(said)))
    assert (result.outcome, result.exit_code) == ("passed", 0)
    assert "the gate fails on error of high confidence or more" in result.not_gated[0].because


def test_the_limits_of_the_spec_are_respected() -> None:
    assert gate(diagnosed(wrong(UNSURE), min_confidence="medium")).exit_code == 1
    assert gate(diagnosed(wrong(WARNING), fail_on="warning", mode="all")).exit_code == 1
    assert gate(diagnosed(wrong(ERROR), fail_on="never")).exit_code == 0
    assert gate(diagnosed(wrong(ERROR), mode="report-only")).exit_code == 0


def test_without_a_baseline_only_errors_count_as_new() -> None:
    assert gate(diagnosed(wrong(WARNING), fail_on="warning")).exit_code == 0
    assert gate(diagnosed(wrong(WARNING), fail_on="warning"), diagnosed()).exit_code == 1


def test_what_the_baseline_has_does_not_stop_a_change_unless_all_is_asked() -> None:
    before, now = diagnosed(wrong(ERROR)), diagnosed(wrong(ERROR), always(ERROR, id="fresh"))
    result = gate(now, before)
    assert [entry.id for entry in result.blocking] == ["fresh"]
    assert [(entry.id, entry.because) for entry in result.not_gated] == [("wrong", "it is in the baseline too")]
    assert (len(result.new), len(result.unchanged), len(result.fixed)) == (1, 1, 0)
    assert gate(diagnosed(wrong(ERROR), mode="all"), before).exit_code == 1


def test_a_hint_of_the_baseline_that_became_an_error_is_new() -> None:
    assert gate(diagnosed(wrong(ERROR)), diagnosed(wrong(finding(severity="info")))).exit_code == 1


def test_what_is_gone_is_fixed_but_not_what_could_not_be_judged() -> None:
    before = diagnosed(wrong(ERROR))
    assert len(gate(diagnosed(toy_rules.passing(id="wrong")), before).fixed) == 1
    result = gate(diagnosed(toy_rules.says_unjudged(id="wrong")), before)
    assert result.fixed == ()
    assert "wrong was found in the baseline and could not be judged now: 12 rows are too few" in result.warnings


def test_an_ignore_stays_visible_and_one_that_hides_nothing_is_warned_about() -> None:
    ignores = Rules(ignore=(Ignore(rule="wrong", reason="known"), Ignore(rule="other", reason="old")))
    result = gate(judge(make.evidence(spec=make.spec(rules=ignores)), catalogue=(wrong(ERROR),)))
    assert result.outcome == "passed"
    assert "  ignored: wrong: known" in result.words
    assert "the ignore of other matches nothing: old" in result.warnings


def test_an_inconclusive_diagnosis_passes_unless_strict() -> None:
    unclear = diagnosed(records={"overfit": make.not_measured()})
    assert (gate(unclear).outcome, gate(unclear).exit_code) == ("inconclusive", 0)
    assert gate(unclear, strict=True).exit_code == 5


def test_user_code_that_raised_in_a_demanded_step_has_an_exit_code_of_its_own() -> None:
    result = gate(diagnosed(records={"overfit": make.not_measured(reason="user_error")}))
    assert (result.exit_code, result.because) == (3, "your code failed in: small set")
