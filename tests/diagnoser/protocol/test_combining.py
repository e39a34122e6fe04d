"""Which two cures are tried together, and which are not?"""

import pytest

from diagnoser.findings import Finding, Fix
from diagnoser.protocol.combining import Alone, Pair, pair, united
from diagnoser.trials import Transform

LOGITS = Fix(title="Return logits", transforms=(Transform.REMOVE_FINAL_ACTIVATION,))
LOWER = Fix(title="Lower the lr", patch={"optimizer.lr": 0.01})
SCALED = Fix(title="Standardise", transforms=(Transform.STANDARDISE_INPUTS,))
LOOP = Fix(title="Our loop", transforms=(Transform.OUR_LOOP,))


def found(name: str, *fixes: Fix, **changes: object) -> tuple[tuple[Finding, Fix], ...]:
    finding = Finding.model_validate(
        {
            "id": name, "rule": name, "category": "loss", "severity": "error", "confidence": "high", "title": "",
            "why": "", "message": "", "observed": "", "expected": "", "evidence": (), "fixes": fixes,
            "fingerprint": "", "docs": "",
        }
        | changes
    )  # fmt: skip
    return tuple((finding, fix) for fix in fixes)


def paired(
    *ranked: tuple[tuple[Finding, Fix], ...], alone: dict[str, Alone] | None = None, best: Fix | None = None
) -> Pair | None:
    """Every cure was tried alone and did nothing, but for those whose title says otherwise; none beats `best`."""
    flat = [one for each in ranked for one in each]
    return pair(flat, lambda fix: (alone or {}).get(fix.title, "nothing"), beats=lambda fix, _: fix == best)


def test_two_causes_that_nothing_explains_are_cured_together() -> None:
    both = paired(found("a", LOGITS), found("b", LOWER))
    assert both is not None
    assert (both.fix.patch, both.fix.transforms) == (LOWER.patch, LOGITS.transforms)
    assert both.fix.title == "Both: “Return logits” and “Lower the lr”"
    assert [finding.id for finding in both.findings] == ["a", "b"]
    assert both.fix.key not in {LOGITS.key, LOWER.key}


def test_the_pair_is_tried_though_neither_cure_did_anything_alone_or_one_did() -> None:
    for title in (LOGITS.title, LOWER.title):
        assert paired(found("a", LOGITS), found("b", LOWER), alone={title: "promises"}) is not None


def test_it_waits_until_both_were_tried_alone() -> None:
    assert paired(found("a", LOGITS), found("b", LOWER), alone={LOWER.title: "untried"}) is None


def test_a_cause_is_cured_by_its_first_fix_that_can_be_applied() -> None:
    both = paired(found("a", LOGITS, SCALED), found("b", LOWER), alone={LOGITS.title: "cannot"})
    assert both is not None
    assert both.parts == (SCALED, LOWER)


def test_of_three_causes_the_two_best_are_taken_that_do_not_contradict_each_other() -> None:
    higher = Fix(title="Raise the lr", patch={"optimizer.lr": 1.0})
    both = paired(found("a", LOWER), found("b", higher), found("c", SCALED))
    assert both is not None
    assert both.parts == (LOWER, SCALED)


def test_two_findings_of_one_rule_are_one_cause() -> None:
    assert paired(found("a", LOGITS), found("a#2", LOWER, rule="a")) is None


def test_hints_and_effects_alone_are_no_second_cause_of_a_cure_that_works() -> None:
    hint, effect = found("b", LOWER, severity="info"), found("c", SCALED, explained_by=("a",))
    assert paired(found("a", LOGITS), hint, effect, alone={LOGITS.title: "promises"}) is None
    assert paired(hint, effect) is None


def test_what_stays_when_its_cause_is_cured_may_be_a_cause_itself() -> None:
    both = paired(found("a", LOGITS), found("b", LOWER, explained_by=("a",)))
    assert both is not None
    assert both.parts == (LOGITS, LOWER)


def test_a_hint_is_taken_only_when_its_cure_did_something_by_itself() -> None:
    ranked = found("a", LOGITS), found("b", LOWER, severity="info")
    assert paired(*ranked) is None
    assert paired(*ranked, alone={LOWER.title: "promises", LOGITS.title: "promises"}) is not None


def test_of_several_hints_the_one_whose_cure_did_best_is_taken() -> None:
    ranked = found("a", LOGITS), found("b", LOWER, severity="info"), found("c", SCALED, severity="info")
    does: dict[str, Alone] = {LOWER.title: "promises", SCALED.title: "promises"}
    for best in (LOWER, SCALED):
        both = paired(*ranked, alone=does, best=best)
        assert both is not None
        assert both.parts == (LOGITS, best)


@pytest.mark.parametrize("changes", [{"severity": "info"}, {"explained_by": ("a",)}])
def test_what_is_said_of_the_learning_rate_is_tried_beside_every_cure(changes: dict[str, object]) -> None:
    rate = found("b", LOWER, category="learning-rate", **changes)
    both = paired(found("a", LOGITS), rate, alone={LOGITS.title: "promises"})
    assert both is not None
    assert both.parts == (LOGITS, LOWER)
    root = found("c", SCALED, severity="warning")
    first = paired(found("a", LOGITS), rate, root)
    assert first is not None
    assert first.parts == (LOGITS, SCALED)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"patch": {"optimizer.lr": 1.0}}, {"patch": {"optimizer.lr": 0.1}}),
        ({"patch": {"optimizer.name": "adam"}}, {"patch": {"optimizer.lr": 0.1}}),
        ({"patch": {"scheduler": {"name": "cosine"}}}, {"patch": {"scheduler.warmup": 0.1}}),
        ({"patch": {"epochs": 20}}, {"patch": {"steps": 100}}),
        ({"patch": {"loss": "mse_loss"}}, {"transforms": (Transform.REMOVE_FINAL_ACTIVATION,)}),
        ({"transforms": (Transform.REINITIALISE,)}, {"transforms": (Transform.ZERO_LAST_LAYER,)}),
        ({"transforms": (Transform.RELU_ACTIVATIONS,)}, {"transforms": (Transform.LEAKY_RELU,)}),
        ({"transforms": (Transform.HALVE_DROPOUT,)}, {"transforms": (Transform.NO_DROPOUT,)}),
        ({"transforms": (Transform.STANDARDISE_INPUTS,)}, {"transforms": (Transform.STANDARDISE_INPUTS,)}),
        ({"transforms": (Transform.OUR_LOOP,)}, {"patch": {"optimizer.lr": 0.1}}),
    ],
)
def test_changes_of_one_thing_contradict_each_other(first: dict[str, object], second: dict[str, object]) -> None:
    one, other = (Fix.model_validate({"title": "", **change}) for change in (first, second))
    assert united(one, other) is None
    assert united(other, one) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"patch": {"optimizer.lr": 1.0}}, {"patch": {"optimizer.weight_decay": 0.0}}),
        ({"patch": {"loss.args.reduction": "mean"}}, {"transforms": (Transform.REMOVE_FINAL_ACTIVATION,)}),
        ({"transforms": (Transform.STANDARDISE_INPUTS,)}, {"transforms": (Transform.REINITIALISE,)}),
    ],
)
def test_changes_of_two_things_go_together(first: dict[str, object], second: dict[str, object]) -> None:
    one, other = (Fix.model_validate({"title": "", **change}) for change in (first, second))
    both, turned = united(one, other), united(other, one)
    assert both is not None
    assert turned is not None
    assert both.key == turned.key
