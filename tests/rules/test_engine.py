"""What does the user get from the judge, whatever the rules say?"""

import hashlib
import logging

import pytest

from diagnoser.evidence.evidence import Evidence
from diagnoser.findings import Confidence, Diagnosis, Fix, FixState, Severity, Verdict
from diagnoser.spec.fields import Ignore, Rules
from diagnoser.trials import Transform
from rules import proven
from rules.engine import draft, fingerprint, judge
from rules.registry import Registered
from tests.helpers import make, toy_rules
from tests.helpers.toy_rules import always, finding

CURE = Fix(title="Remove the softmax", transforms=(Transform.REMOVE_FINAL_ACTIVATION,))
REFUTED = make.treatment(after=(0.11, 0.10, 0.12))


def judged(*catalogue: Registered, evidence: Evidence | None = None) -> Diagnosis:
    return judge(evidence or make.evidence(), catalogue=catalogue)


def ignoring(**ignore: str) -> Evidence:
    return make.evidence(spec=make.spec(rules=Rules(ignore=(Ignore.model_validate(ignore),))))


def test_a_record_that_was_not_measured_leaves_its_rules_unjudged_and_says_why() -> None:
    evidence = make.evidence(overfit=make.not_measured("the model has no parameters", reason="unsupported"))
    diagnosis = judged(toy_rules.needs_overfit(), evidence=evidence)
    assert diagnosis.passed == ()
    (entry,) = diagnosis.unjudged
    assert (entry.reason, entry.because) == ("unsupported", "the model has no parameters")


def test_the_five_answers_are_told_apart() -> None:
    diagnosis = judged(
        always(finding(), id="wrong"),
        always(finding(), id="accepted"),
        toy_rules.passing(),
        toy_rules.says_not_applicable(),
        toy_rules.says_unjudged(),
        evidence=ignoring(rule="accepted", reason="we know"),
    )
    assert [entry.id for entry in diagnosis.findings] == ["wrong"]
    assert [entry.rule for entry in diagnosis.passed] == ["never-wrong"]
    assert [(entry.rule, entry.because) for entry in diagnosis.not_applicable] == [
        ("does-not-apply", "there is no text here")
    ]
    assert [(entry.rule, entry.because) for entry in diagnosis.unjudged] == [("cannot-tell", "12 rows are too few")]
    assert [(entry.rule, entry.reason) for entry in diagnosis.ignored] == [("accepted", "we know")]


@pytest.mark.parametrize("broken", [toy_rules.with_a_bug(), toy_rules.without_an_answer()])
def test_a_rule_of_ours_that_fails_takes_no_other_with_it(broken: Registered, caplog: pytest.LogCaptureFixture) -> None:
    evidence = make.evidence(data=make.data_profile(constant_features=0))
    with caplog.at_level(logging.ERROR):
        diagnosis = judged(broken, toy_rules.passing(), evidence=evidence)
    assert [(entry.rule, entry.reason) for entry in diagnosis.unjudged] == [(broken.id, "engine_error")]
    assert [entry.rule for entry in diagnosis.passed] == ["never-wrong"]
    assert broken.id in caplog.text


def test_several_findings_of_one_rule_have_ids_of_their_own() -> None:
    diagnosis = judged(always(finding(subject="net.0"), finding(subject="net.2"), id="dead"))
    assert [entry.id for entry in diagnosis.findings] == ["dead", "dead#2"]
    assert len({entry.fingerprint for entry in diagnosis.findings}) == 2


def test_a_fingerprint_is_that_of_rule_key_and_subject_alone() -> None:
    digest = hashlib.sha256(b'["dead", null, "net.0"]').hexdigest()
    assert fingerprint("dead", None, "net.0") == f"sha256:{digest[:16]}"
    names = {fingerprint(*names) for names in (("a", "b", None), ("a", None, "b"), ("b", "a", None), ("a", None, None))}
    assert len(names) == 4


def test_a_finding_points_at_the_line_of_its_key_or_of_the_section_round_it() -> None:
    exact, nearest, nowhere = judged(
        always(finding(key="optimizer.lr"), finding(key="optimizer.weight_decay"), finding(key="scheduler.name"))
    ).findings
    assert (exact.location.file, exact.location.line) == ("diagnose.yaml", 9)
    assert nearest.location.line == 7
    assert nowhere.location.line is None


def test_an_effect_names_its_causes_and_the_cause_is_primary() -> None:
    diagnosis = judged(
        always(finding(explains=("symptom", "not-there")), id="cause", category="optimizer"),
        always(finding(), id="symptom", category="loss"),
    )
    cause, symptom = diagnosis.findings
    assert diagnosis.primary == cause.id == "cause"
    assert symptom.explained_by == ("cause",)
    assert cause.explained_by == ()


def test_a_circle_of_causes_is_broken_the_same_way_every_time(caplog: pytest.LogCaptureFixture) -> None:
    hen = always(finding(explains=("egg",)), id="hen", category="data")
    egg = always(finding(explains=("hen",)), id="egg", category="loss")
    for catalogue in ((hen, egg), (egg, hen)):
        found = {entry.id: entry.explained_by for entry in judged(*catalogue).findings}
        assert found == {"hen": (), "egg": ("hen",)}
    assert "explain each other" in caplog.text


def test_a_fix_that_was_tried_carries_its_state_and_figures() -> None:
    evidence = make.evidence(treatments=make.treatments(make.treatment()))
    (fix,) = judged(always(finding(fixes=(CURE,))), evidence=evidence).findings[0].fixes
    assert fix.state is FixState.VERIFIED
    assert (fix.before, fix.after) == (
        "validation accuracy 0.11 (3 of 3 seeds)",
        "validation accuracy 0.9667 (3 of 3 seeds)",
    )
    assert fix.interval is not None


def test_a_patch_is_shown_as_a_difference_of_the_users_file() -> None:
    (fix,) = judged(always(finding(fixes=(Fix(title="Lower", patch={"optimizer.lr": 1e-4}),)))).findings[0].fixes
    assert fix.diff is not None
    assert "-  lr: 1e-3" in fix.diff
    assert fix.state is FixState.UNTESTED


def test_a_fix_that_the_budget_left_out_says_so() -> None:
    evidence = make.evidence(treatments=make.treatments(skipped=(CURE.key,)))
    (fix,) = judged(always(finding(fixes=(CURE,))), evidence=evidence).findings[0].fixes
    assert (fix.state, fix.note) == (FixState.UNTESTED, "the budget left it out")


def test_a_cure_that_did_not_help_lowers_the_confidence_and_withdraws_the_link() -> None:
    rules = (
        always(finding(fixes=(CURE,), explains=("symptom",)), id="cause"),
        always(finding(), id="symptom", category="loss"),
    )
    before = {entry.id: entry for entry in judged(*rules).findings}
    evidence = make.evidence(treatments=make.treatments(REFUTED))
    after = {entry.id: entry for entry in judged(*rules, evidence=evidence).findings}
    assert (before["cause"].confidence, after["cause"].confidence) == (Confidence.HIGH, Confidence.MEDIUM)
    assert (before["symptom"].explained_by, after["symptom"].explained_by) == (("cause",), ())


def test_what_holds_by_definition_is_not_doubted_when_its_cure_did_not_help() -> None:
    said = finding(fixes=(CURE,), explains=("symptom",), by_definition=True)
    rules = (always(said, id="cause"), always(finding(), id="symptom", category="loss"))
    evidence = make.evidence(treatments=make.treatments(REFUTED))
    after = {entry.id: entry for entry in judged(*rules, evidence=evidence).findings}
    assert after["cause"].confidence is Confidence.HIGH
    assert after["symptom"].explained_by == ("cause",)


def test_a_cure_that_brings_most_explains_the_symptoms_too() -> None:
    verified = make.treatment(after=(0.96, 0.97, 0.95))
    evidence = make.evidence(treatments=make.treatments(treatments=(verified,)))
    cause, symptom = always(finding(fixes=(CURE,)), id="cause"), always(finding(), id="nothing-learned")
    diagnosis = judged(cause, symptom, evidence=evidence)
    assert {entry.id: entry.explained_by for entry in diagnosis.findings} == {
        "cause": (),
        "nothing-learned": ("cause",),
    }
    assert diagnosis.primary == "cause"


@pytest.mark.parametrize(("reached", "is_effect"), [(0.96, True), (0.40, False)])
def test_that_another_setting_does_better_is_no_fault_where_a_cure_of_the_model_brings_as_much(
    reached: float, is_effect: bool
) -> None:
    """Both were at 0.11; the other lr reaches 0.96. With the cure, the user's own lr reaches as much, or it does not."""
    other_lr = Fix(title="Lower the lr", patch={"optimizer.lr": 1e-4})
    evidence = make.evidence(
        treatments=make.treatments(
            make.treatment(after=(reached, reached + 0.01, reached - 0.01)),
            make.treatment(title=other_lr.title, patch=other_lr.patch, transforms=(), after=(0.96, 0.97, 0.95)),
        )
    )
    diagnosis = judged(
        always(finding(fixes=(CURE,)), id="cause", category="loss"),
        always(finding(fixes=(other_lr,)), id="learning-rate-too-high", category="learning-rate"),
        evidence=evidence,
    )
    causes = {entry.id: entry.explained_by for entry in diagnosis.findings}
    assert causes["learning-rate-too-high"] == (("cause",) if is_effect else ())
    assert diagnosis.primary == ("cause" if is_effect else "learning-rate-too-high")


def test_an_ignored_finding_is_shown_with_its_reason_and_no_longer_judged() -> None:
    diagnosis = judged(always(finding()), evidence=ignoring(rule="always-wrong", reason="a toy"))
    assert diagnosis.verdict is Verdict.HEALTHY
    assert diagnosis.ignored[0].fingerprint == fingerprint("always-wrong", None, None)


def test_an_ignore_lasts_through_the_day_on_which_it_expires() -> None:
    for day, findings in (("2026-11-03", 0), ("2026-11-02", 1), ("some day", 1)):
        ignore = ignoring(rule="always-wrong", reason="a toy", expires=day)
        assert len(judged(always(finding()), evidence=ignore).findings) == findings


def test_an_ignore_that_matches_nothing_stays_visible() -> None:
    (entry,) = judged(toy_rules.passing(), evidence=ignoring(rule="never-wrong", reason="old")).ignored
    assert entry.fingerprint is None


def test_a_pass_on_leaking_validation_data_counts_for_nothing() -> None:
    overlap = always(finding(), id="train-validation-overlap")
    diagnosis = judged(overlap, toy_rules.passing(id="overfitting"), toy_rules.passing(id="inputs-non-finite"))
    assert [entry.rule for entry in diagnosis.passed] == ["inputs-non-finite"]
    (entry,) = diagnosis.unjudged
    assert (entry.rule, entry.reason) == ("overfitting", "dependency")
    assert "About train-validation-overlap" in entry.because


def test_a_hint_spoils_no_other_judgment() -> None:
    hint = always(finding(severity="info"), id="train-validation-overlap")
    assert len(judged(hint, toy_rules.passing(id="overfitting")).passed) == 1


def test_the_draft_has_the_primary_finding_first() -> None:
    findings = draft(
        make.evidence(treatments=make.not_measured(reason="dependency")),
        catalogue=(
            always(finding(severity="info"), id="a-hint"),
            always(finding(), id="symptom"),
            always(finding(explains=("symptom",), severity="warning"), id="cause"),
        ),
    )
    assert [entry.id for entry in findings] == ["cause", "a-hint", "symptom"]


def test_a_rule_that_no_real_program_has_shown_says_info_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = make.evidence(data=make.data_profile(overlap_share=1.0))
    assert judge(evidence).primary == "train-validation-overlap"
    monkeypatch.setattr(proven, "proofs", dict)
    diagnosis = judge(evidence)
    assert {finding.severity for finding in diagnosis.findings} == {Severity.INFO}
    assert "train-validation-overlap" in {finding.id for finding in diagnosis.findings}


def test_judging_twice_gives_the_same_file() -> None:
    evidence = make.evidence()
    assert judge(evidence).model_dump_json() == judge(evidence).model_dump_json()
