"""What does a step that was measured again under a fix say of the findings that rest on it?"""

from collections.abc import Iterator
from html import unescape

import pytest

from diagnoser.evidence.steps import InitialLoss, Overfit, Treatment, UnderFix
from diagnoser.findings import Diagnosis, Finding, Fix
from diagnoser.trials import Transform
from reports import html, markdown
from rules.engine import judge
from rules.registry import Registered
from rules.rule import Answer, Passed
from tests.helpers import make
from tests.helpers.toy_rules import always, finding, registered

SCALE = Fix(title="Standardise", transforms=(Transform.STANDARDISE_INPUTS,))
CURED = UnderFix(initial_loss=make.initial_loss())
AS_BEFORE = UnderFix(initial_loss=make.initial_loss(observed=(8.9,) * 5))
SMALLER = UnderFix(initial_loss=make.initial_loss(observed=(4.0,) * 5))


def start_rule(*, id: str = "initial-loss-off-chance", elsewhere: str = "") -> Registered:
    """Finds a loss that starts above 5, and has a hint for one above 3."""

    def check(initial: InitialLoss) -> Iterator[Answer]:
        if initial.observed[0] <= 3:
            yield Passed(observed="low", expected="low")
            return
        said = finding(severity="warning" if initial.observed[0] > 5 else "info", confidence="medium")
        yield said.model_copy(update={"evidence": (*said.evidence, elsewhere)}) if elsewhere else said

    return registered(check, id=id, category="loss")


def small_set_rule() -> Registered:
    def check(overfit: Overfit) -> Iterator[Answer]:
        if any(attempt.memorised for attempt in overfit.attempts if attempt.control == "none"):
            yield Passed(observed="memorised", expected="memorised")
            return
        yield finding().model_copy(update={"evidence": ("/steps/overfit/value/attempts",)})

    return registered(check, id="small-set-not-memorised", category="training-loop")


def judged(
    again: UnderFix | None, *rules: Registered, explains: tuple[str, ...] = (), **treatment: object
) -> Diagnosis:
    """A cause whose cure brings 0.11 to 0.97, beside a first loss of 9 nats and a small set that stalls."""
    tried: Treatment = make.treatment(rule="cause", transforms=SCALE.transforms, again=again, **treatment)
    cause = always(finding(severity="warning", fixes=(SCALE,), explains=explains), id="cause", category="data")
    evidence = make.evidence(
        initial_loss=make.initial_loss(observed=(9.0,) * 5),
        overfit=make.overfit(attempts=tuple(make.stuck_attempt(seed=seed) for seed in range(3))),
        treatments=make.treatments(tried),
    )
    return judge(evidence, catalogue=(cause, *(rules or (start_rule(),))))


def by_rule(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {entry.rule: entry for entry in diagnosis.findings}


START = "initial-loss-off-chance"


def test_a_symptom_that_is_gone_under_the_cure_is_its_effect_though_no_table_says_so() -> None:
    found = by_rule(judged(CURED))
    assert found[START].explained_by == ("cause",)
    (again,) = found["cause"].fixes[0].again
    assert (again.step, again.before, again.after, again.gone, again.left) == (
        "initial_loss", "9.000", "2.309", (START,), ()
    )  # fmt: skip
    assert again.expected == "2.303 (ln 10)"


def test_a_finding_that_is_still_there_under_the_cure_stands_alone_again() -> None:
    assert by_rule(judged(None, explains=(START,)))[START].explained_by == ("cause",)
    found = by_rule(judged(AS_BEFORE, explains=(START,)))
    assert found[START].explained_by == ()
    assert found["cause"].fixes[0].again[0].left == (START,)


def test_what_is_left_of_it_is_weighed_by_the_rule_itself() -> None:
    assert by_rule(judged(SMALLER, explains=(START,)))[START].explained_by == ("cause",)


def test_a_link_that_the_steps_measured_again_cannot_tell_of_stays_as_it_was() -> None:
    elsewhere = start_rule(elsewhere="/steps/curves/value/runs")
    assert by_rule(judged(AS_BEFORE, elsewhere, explains=(START,)))[START].explained_by == ("cause",)
    assert by_rule(judged(AS_BEFORE, small_set_rule()))["small-set-not-memorised"].explained_by == ("cause",)


def test_a_finding_that_is_no_symptom_becomes_no_effect_by_being_gone() -> None:
    assert by_rule(judged(CURED, start_rule(id="something-else")))["something-else"].explained_by == ()


def test_a_small_set_that_stalls_under_the_best_cure_has_another_cause() -> None:
    stuck = UnderFix(overfit=make.overfit(attempts=tuple(make.stuck_attempt(seed=n) for n in range(3))))
    found = by_rule(judged(stuck, small_set_rule()))
    assert found["small-set-not-memorised"].explained_by == ()
    (again,) = found["cause"].fixes[0].again
    assert again.after == "memorised by 0 of 3 runs at lr 0.001, loss 2.3"
    learned = by_rule(judged(UnderFix(overfit=make.overfit()), small_set_rule()))
    assert learned["small-set-not-memorised"].explained_by == ("cause",)
    assert learned["cause"].fixes[0].again[0].after == "memorised by 3 of 3 runs at lr 0.001, loss 0.008"


def test_a_fix_that_was_not_verified_tells_nothing() -> None:
    found = by_rule(judged(AS_BEFORE, explains=(START,), after=(0.3, 0.1, 0.12)))
    assert found[START].explained_by == ("cause",)
    assert found["cause"].fixes[0].again == ()


@pytest.mark.parametrize("again", [None, CURED, AS_BEFORE, SMALLER])
def test_no_verdict_and_no_severity_hangs_on_it(again: UnderFix | None) -> None:
    plain, told = judged(None, explains=(START,)), judged(again, explains=(START,))
    assert plain.verdict is told.verdict
    assert {f.rule: (f.severity, f.confidence) for f in plain.findings} == {
        f.rule: (f.severity, f.confidence) for f in told.findings
    }


def test_every_report_shows_the_figures_under_the_fix() -> None:
    diagnosis = judged(CURED)
    said = f"Initial loss 9.000 → 2.309 (expected: 2.303 (ln 10)). Gone with it: {START}."
    for page in (html.render(diagnosis), html.render_cell(diagnosis)):
        assert said in unescape(page)
    assert said in markdown.render(diagnosis).replace("\\", "")
