"""Two faults at once: what follows when neither cure helps alone and both together do, and when they do not."""

import pytest

from diagnoser.evidence.steps import Treatment, Treatments
from diagnoser.findings import Confidence, Diagnosis, Finding, Fix, FixState, fix_key
from diagnoser.trials import Transform
from rules import claims, confirmation
from rules.engine import judge
from tests.helpers import make
from tests.helpers.toy_rules import always, finding

LOGITS = Fix(title="Return logits", transforms=(Transform.REMOVE_FINAL_ACTIVATION,))
LOWER = Fix(title="Lower the lr", patch={"optimizer.lr": 1e-4})
CHANCE = (0.11, 0.10, 0.12)
GOOD = (0.97, 0.96, 0.97)
HALF = (0.55, 0.53, 0.56)


def tried(*, logits: tuple[float, ...], lower: tuple[float, ...], both: tuple[float, ...]) -> Treatments:
    """What each cure reaches alone and what both reach, from 0.11 without."""
    patch, transforms = LOWER.patch, LOGITS.transforms
    return make.treatments(
        make.treatment(rule="softmax", title=LOGITS.title, transforms=transforms, after=logits, loss_comparable=False),
        make.treatment(rule="lr", title=LOWER.title, patch=patch, transforms=(), after=lower),
        make.treatment(
            rule="softmax", title="Both: …", patch=patch, transforms=transforms, after=both,
            parts=(LOGITS.key, LOWER.key), loss_comparable=False,
        ),
    )  # fmt: skip


def judged(treatments: Treatments, **lr: object) -> Diagnosis:
    rules = (
        always(finding(fixes=(LOGITS,), explains=("lr",)), id="softmax", category="loss"),
        always(finding(fixes=(LOWER,), **lr), id="lr", category="learning-rate"),  # type: ignore[arg-type]  # keywords
        always(finding(), id="nothing-learned", category="training-loop"),
    )
    return judge(make.evidence(treatments=treatments), catalogue=rules)


def by_id(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {entry.id: entry for entry in diagnosis.findings}


def together(entry: Finding) -> Fix | None:
    return next((fix for fix in entry.fixes if fix.together is not None), None)


def state(entry: Finding) -> FixState | None:
    """What the finding's part adds to the other one's."""
    fix = together(entry)
    return fix.together.state if fix is not None and fix.together is not None else None


HIDDEN = tried(logits=CHANCE, lower=CHANCE, both=GOOD)


def test_neither_is_doubted_when_both_together_help() -> None:
    found = by_id(judged(HIDDEN))
    assert [entry.fixes[0].state for entry in (found["softmax"], found["lr"])] == [FixState.REFUTED] * 2
    assert found["softmax"].confidence is found["lr"].confidence is Confidence.HIGH
    assert (found["softmax"].explained_by, found["lr"].explained_by) == ((), ())


def test_the_cure_of_both_is_shown_with_each_of_them_with_its_figures_and_its_diff() -> None:
    for name, other in (("softmax", "lr"), ("lr", "softmax")):
        fix = together(by_id(judged(HIDDEN))[name])
        assert fix is not None
        assert fix.state is FixState.VERIFIED
        assert (fix.before, fix.after) == (
            "validation accuracy 0.11 (3 of 3 seeds)",
            "validation accuracy 0.9667 (3 of 3 seeds)",
        )
        assert fix.diff is not None
        assert "-  lr: 1e-3" in fix.diff
        assert fix.together is not None
        assert (fix.together.others, fix.together.state) == ((other,), FixState.VERIFIED)


def test_both_explain_that_nothing_was_learned_and_the_first_in_the_order_of_cures_is_primary() -> None:
    diagnosis = judged(HIDDEN)
    assert set(by_id(diagnosis)["nothing-learned"].explained_by) == {"softmax", "lr"}
    assert diagnosis.primary == "softmax"


def test_a_cure_that_does_it_all_alone_confirms_no_second_cause() -> None:
    diagnosis = judged(tried(logits=GOOD, lower=CHANCE, both=GOOD))
    found = by_id(diagnosis)
    assert state(found["softmax"]) is FixState.VERIFIED
    assert state(found["lr"]) is FixState.REFUTED
    assert found["lr"].confidence is Confidence.MEDIUM
    assert found["lr"].explained_by == ("softmax",)
    assert diagnosis.primary == "softmax"


def test_a_cure_that_helps_alone_and_adds_nothing_to_the_other_treats_an_effect() -> None:
    found = by_id(judged(tried(logits=HALF, lower=GOOD, both=GOOD)))
    assert found["softmax"].fixes[0].state is FixState.VERIFIED
    assert state(found["softmax"]) is FixState.REFUTED
    assert found["softmax"].explained_by == ("lr",)
    assert found["lr"].explained_by == ()


def test_what_holds_by_definition_is_nobodys_effect() -> None:
    softmax = always(finding(fixes=(LOGITS,), by_definition=True), id="softmax", category="loss")
    lr = always(finding(fixes=(LOWER,)), id="lr", category="learning-rate")
    evidence = make.evidence(treatments=tried(logits=HALF, lower=GOOD, both=GOOD))
    found = by_id(judge(evidence, catalogue=(softmax, lr)))
    assert (found["softmax"].explained_by, found["lr"].explained_by) == ((), ())


def test_a_cure_that_helps_only_beside_the_other_one_is_confirmed_and_the_smaller_cause() -> None:
    diagnosis = judged(tried(logits=HALF, lower=CHANCE, both=GOOD), severity="error")
    found = by_id(diagnosis)
    assert state(found["softmax"]) is state(found["lr"]) is FixState.VERIFIED
    assert found["lr"].confidence is Confidence.HIGH
    assert found["lr"].explained_by == ()
    assert diagnosis.primary == "softmax"
    turned = judged(tried(logits=CHANCE, lower=HALF, both=GOOD))
    assert turned.primary == "lr"


def test_either_cure_is_enough_when_neither_adds_to_the_other() -> None:
    found = by_id(judged(tried(logits=GOOD, lower=GOOD, both=GOOD)))
    assert state(found["softmax"]) is state(found["lr"]) is FixState.REFUTED
    assert {found["softmax"].confidence, found["lr"].confidence} == {Confidence.HIGH}


@pytest.mark.parametrize("both", [CHANCE, (0.9, 0.1, 0.2)])
def test_a_pair_that_did_not_help_is_shown_once_and_changes_no_judgment(both: tuple[float, ...]) -> None:
    treatments = tried(logits=CHANCE, lower=CHANCE, both=both)
    single = treatments.model_copy(update={"treatments": treatments.treatments[:2]})
    with_pair, without = by_id(judged(treatments)), by_id(judged(single))
    assert [name for name, entry in with_pair.items() if together(entry)] == ["softmax"]
    for name, entry in with_pair.items():
        assert (entry.confidence, entry.explained_by) == (without[name].confidence, without[name].explained_by)


def test_what_is_no_longer_found_is_left_out_of_the_pair() -> None:
    rules = (always(finding(fixes=(LOGITS,)), id="softmax", category="loss"),)
    (entry,) = judge(make.evidence(treatments=HIDDEN), catalogue=rules).findings
    fix = together(entry)
    assert fix is not None
    assert fix.together is not None
    assert (fix.together.others, fix.together.state) == ((), FixState.VERIFIED)


def test_a_rule_that_asks_for_its_fix_hears_that_it_helps_beside_another() -> None:
    assert confirmation.state(HIDDEN, LOWER) is FixState.VERIFIED
    claim = claims.claim(HIDDEN, LOWER, least=claims.MATTERS)
    assert claim.verified
    assert claim.words == (
        " Tried: validation accuracy 0.11 (3 of 3 seeds) with “Return logits” alone became "
        "validation accuracy 0.9667 (3 of 3 seeds) with both."
    )
    assert confirmation.state(tried(logits=CHANCE, lower=CHANCE, both=CHANCE), LOWER) is FixState.REFUTED
    assert confirmation.state(tried(logits=GOOD, lower=CHANCE, both=GOOD), LOWER) is FixState.REFUTED


def pair(treatments: Treatments) -> Treatment:
    (both,) = confirmation.united(treatments)
    return both


def test_what_a_part_adds_is_compared_over_the_seeds_that_both_were_run_with() -> None:
    three = tried(logits=CHANCE, lower=CHANCE, both=GOOD)
    six = pair(three).model_copy(
        update={
            "seeds": tuple(range(6)), "looks": 2, "before": CHANCE * 2, "after": GOOD * 2,
            "before_loss": (1.0,) * 6, "after_loss": (0.1,) * 6,
            "before_outcomes": pair(three).before_outcomes * 2, "after_outcomes": pair(three).after_outcomes * 2,
        }
    )  # fmt: skip
    treatments = make.treatments(*three.treatments[:2], six)
    added = confirmation.addition(treatments, six, LOWER.key)
    assert added is not None
    assert (added.seeds, added.before, added.after) == ((0, 1, 2), CHANCE, GOOD)
    assert added.looks == 2


def test_whether_two_losses_compare_is_decided_by_the_part_that_is_added() -> None:
    added = confirmation.addition(HIDDEN, pair(HIDDEN), LOWER.key)
    other = confirmation.addition(HIDDEN, pair(HIDDEN), LOGITS.key)
    assert added is not None
    assert other is not None
    assert (added.loss_comparable, other.loss_comparable) == (True, False)


def test_nothing_is_added_to_a_cure_that_was_not_tried_alone() -> None:
    alone = make.treatments(pair(HIDDEN), HIDDEN.treatments[1])
    assert confirmation.addition(alone, pair(HIDDEN), LOWER.key) is None
    assert confirmation.addition(HIDDEN, pair(HIDDEN), fix_key({"epochs": 3}, ())) is None
    assert confirmation.state(alone, LOWER) is FixState.REFUTED


def test_two_cures_without_which_every_run_fails_confirm_each_other() -> None:
    nan = (float("nan"),) * 3
    treatments = tried(logits=nan, lower=nan, both=GOOD)
    found = by_id(judged(treatments))
    assert state(found["softmax"]) is state(found["lr"]) is FixState.VERIFIED
    assert {found["softmax"].confidence, found["lr"].confidence} == {Confidence.HIGH}
