"""The fourth law: a rule that no real program has shown at work says `info`, whatever it would like to say."""

import pytest
from pydantic import ValidationError

from diagnoser.findings import Confidence, Severity
from rules import proven
from rules.asking import Reply, Silence
from rules.proven import Proof
from rules.registry import Registered, rules
from rules.rule import Finding

SHOWN = {"seen-at-work": Proof(case="small/f1", severity=Severity.ERROR, named=True)}


@pytest.mark.parametrize("severity", list(Severity))
def test_a_proven_rule_may_say_what_it_says(severity: Severity) -> None:
    assert proven.allowed("seen-at-work", severity, proven=SHOWN) is severity


@pytest.mark.parametrize("severity", list(Severity))
def test_an_unproven_rule_says_info_whatever_it_would_like_to_say(severity: Severity) -> None:
    assert proven.allowed("never-seen", severity, proven=SHOWN) is Severity.INFO


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_what_a_rule_finds_is_held_back_until_a_real_program_has_shown_it(rule: Registered) -> None:
    said = Finding(
        message="m", severity=Severity.ERROR, confidence=Confidence.HIGH, observed="", expected="", evidence=()
    )
    reply = Reply(rule, findings=(said, said.model_copy(update={"severity": Severity.WARNING})))
    held = proven.within_proof(reply, proven={})
    assert [one.severity for one in held.findings] == [Severity.INFO, Severity.INFO]
    assert [one.confidence for one in held.findings] == [Confidence.HIGH, Confidence.HIGH]
    shown = {rule.id: Proof(case="small/f1", severity=Severity.INFO, named=False)}
    assert proven.within_proof(reply, proven=shown) == reply


def test_a_rule_that_passed_or_kept_silent_is_left_alone() -> None:
    (rule, *_) = rules()
    silent = Reply(rule, silence=Silence("unjudged", "", "no evidence"))
    assert proven.within_proof(silent, proven={}) == silent


def test_a_ledger_is_read_as_it_was_written_with_a_line_for_each_rule() -> None:
    two = SHOWN | {"another": Proof(case="own/m001", severity=Severity.INFO, named=False)}
    text = proven.written(two)
    assert proven.read(text) == two
    assert [line.split('"')[1] for line in text.splitlines()[1:-1]] == ["another", "seen-at-work"]


def test_a_ledger_that_somebody_wrote_in_by_hand_is_refused() -> None:
    with pytest.raises(ValidationError):
        proven.read('{"seen-at-work": true}')


def test_the_ledger_of_the_package_names_rules_that_there_are() -> None:
    known = {rule.id for rule in rules()}
    assert proven.proofs()
    assert set(proven.proofs()) <= known
