"""What does the user get from steps 1 and 2 measured again under a fix that helped?"""

import time
from collections.abc import Callable

from diagnoser.evidence.outcome import Measured
from diagnoser.evidence.steps import Treatment, UnderFix
from diagnoser.findings import Finding, Fix, Severity
from diagnoser.protocol.session import Session
from diagnoser.trials import Transform, Trial, TrialResult
from tests.helpers import make
from tests.helpers.toy_executor import ToyExecutor

SCALE = Fix(title="Standardise", transforms=(Transform.STANDARDISE_INPUTS,))
LOWER = Fix(title="Lower", patch={"optimizer.lr": 1e-2})
LIGHTER = Fix(title="Less decay", patch={"optimizer.weight_decay": 0.0})
START, SMALL = "/steps/initial_loss/value/observed", "/steps/overfit/value/attempts"
CHANCE, GOOD = 0.1, 0.95


def found(name: str, *fixes: Fix, evidence: tuple[str, ...] = (START, SMALL), **changes: object) -> Finding:
    return Finding.model_validate(
        {
            "id": name, "rule": name, "category": "data", "severity": Severity.ERROR, "confidence": "high", "title": "",
            "why": "", "message": "", "observed": "", "expected": "", "evidence": evidence, "fixes": fixes,
            "fingerprint": "", "docs": "",
        }
        | changes
    )  # fmt: skip


def treated(
    *draft: Finding, helps: Callable[[Trial], bool], minutes: float = 10.0
) -> tuple[tuple[Treatment, ...], ToyExecutor]:
    """Step 7 where an untreated model starts at 9 nats and stalls on the small set, and a treated one does neither."""

    def change(trial: Trial, result: TrialResult) -> TrialResult:
        good = helps(trial)
        points = tuple(
            point.model_copy(update={"validation_metric": (GOOD if good else CHANCE) + 0.001 * trial.seed})
            for point in result.evaluations
        )
        update: dict[str, object] = {"evaluations": points, "initial_loss": 2.3 if trial.transforms else 9.0}
        if trial.stop_when_memorised:
            update |= {"stopped_by": "memorised" if good else "stalled", "final_loss": 0.01 if good else 2.3}
        return result.model_copy(update=update)

    executor = ToyExecutor(change=change)
    spec = make.spec(budget={"minutes": minutes})
    steps = Session(spec, executor, lambda _: draft, lambda _: None, time.monotonic()).run()
    assert isinstance(steps.treatments, Measured), steps.treatments
    return steps.treatments.value.treatments, executor


def is_treated(trial: Trial) -> bool:
    return bool(trial.transforms) or trial.changes.get("optimizer.lr") == 1e-2


def again(*treatments: Treatment) -> UnderFix:
    (one,) = (one.again for one in treatments if one.again is not None)
    return one


def test_both_steps_are_measured_again_under_a_fix_that_did_better_in_every_pair() -> None:
    (one,), _ = treated(found("a", SCALE), helps=is_treated)
    under = again(one)
    assert under.initial_loss is not None
    assert under.initial_loss.observed == (2.3,) * 5
    assert under.initial_loss.chance is not None
    assert under.overfit is not None
    assert [attempt.memorised for attempt in under.overfit.attempts] == [True] * 3
    assert {attempt.control for attempt in under.overfit.attempts} == {"none"}


def test_a_fix_that_helps_in_some_seeds_or_none_is_not_measured_again() -> None:
    for helps in (lambda _: False, lambda trial: is_treated(trial) and trial.seed % 2 == 0):
        (one,), _ = treated(found("a", SCALE), helps=helps)
        assert one.again is None


def test_a_step_on_which_no_finding_rests_is_not_measured_again() -> None:
    (one,), _ = treated(found("a", SCALE, evidence=(START,)), helps=is_treated)
    under = again(one)
    assert (under.initial_loss is not None, under.overfit) == (True, None)
    (other,), _ = treated(found("a", SCALE, evidence=("/steps/curves/value/runs",)), helps=is_treated)
    assert other.again is None


def test_the_untrained_model_is_left_alone_where_only_the_optimizer_changes() -> None:
    (one,), _ = treated(found("a", LOWER), helps=is_treated)
    under = again(one)
    assert under.initial_loss is None
    assert under.overfit is not None
    assert (under.overfit.user_lr, {a.lr for a in under.overfit.attempts}) == (1e-2, {1e-2})


def test_what_the_two_steps_leave_out_with_and_without_is_not_asked() -> None:
    (one,), _ = treated(
        found("a", LIGHTER), helps=lambda trial: bool(trial.changes.get("optimizer.weight_decay") == 0.0)
    )
    assert one.again is None


def test_other_lrs_are_tried_where_the_small_set_is_still_not_memorised() -> None:
    (one,), _ = treated(found("a", SCALE), helps=lambda trial: is_treated(trial) and not trial.stop_when_memorised)
    under = again(one)
    assert under.overfit is not None
    assert sorted({attempt.lr for attempt in under.overfit.attempts}) == [1e-4, 1e-3, 1e-2]
    assert not any(attempt.memorised for attempt in under.overfit.attempts)


def test_an_effect_has_no_cure_of_its_own_and_at_most_two_causes_are_measured_again() -> None:
    other = Fix(title="Draw anew", transforms=(Transform.REINITIALISE,))
    third = Fix(title="ReLU", transforms=(Transform.INSERT_RELU,))
    tried, _ = treated(found("a", SCALE), found("b", other), found("c", third), helps=is_treated)
    assert [one.rule for one in tried if one.again is not None] == ["a", "b"]
    tried, _ = treated(found("a", SCALE), found("b", other, explained_by=("a",)), helps=is_treated)
    assert [one.rule for one in tried if one.again is not None] == ["a"]


def test_nothing_is_asked_twice() -> None:
    _, executor = treated(found("a", SCALE), helps=is_treated)
    first = next(n for n, trial in enumerate(executor.given) if trial.scheduled and trial.transforms)
    names = [trial.model_copy(update={"max_seconds": None}).model_dump_json() for trial in executor.given[first:]]
    assert len(names) == len(set(names))
