"""What does the user get when two faults hide each other? Step 7, with runs whose outcome is known."""

import time
from collections.abc import Callable

from diagnoser.evidence.outcome import Measured
from diagnoser.evidence.steps import Treatment, Treatments
from diagnoser.findings import Finding, Fix, Severity
from diagnoser.protocol.session import Session
from diagnoser.trials import Outcome, Transform, Trial, TrialResult, UserError
from tests.helpers import make
from tests.helpers.toy_executor import ToyExecutor

LOGITS = Fix(title="Return logits", transforms=(Transform.REMOVE_FINAL_ACTIVATION,))
DECAY = Fix(title="Less decay", patch={"optimizer.weight_decay": 0.0})
WIDER = Fix(title="Train on", patch={"epochs": 40})
CHANCE, GOOD = 0.1, 0.95


def found(name: str, *fixes: Fix, **changes: object) -> Finding:
    return Finding.model_validate(
        {
            "id": name, "rule": name, "category": "loss", "severity": Severity.ERROR, "confidence": "high", "title": "",
            "why": "", "message": "", "observed": "", "expected": "", "evidence": (), "fixes": fixes,
            "fingerprint": "", "docs": "",
        }
        | changes
    )  # fmt: skip


def reaching(accuracy: Callable[[Trial], float]) -> ToyExecutor:
    """Runs that end at this validation accuracy, a little apart over the seeds."""

    def change(trial: Trial, result: TrialResult) -> TrialResult:
        value = accuracy(trial) + 0.001 * trial.seed
        points = tuple(point.model_copy(update={"validation_metric": value}) for point in result.evaluations)
        return result.model_copy(update={"evaluations": points})

    return ToyExecutor(change=change)


def is_cured(trial: Trial) -> bool:
    return Transform.REMOVE_FINAL_ACTIVATION in trial.transforms and "optimizer.weight_decay" in trial.changes


def treated(executor: ToyExecutor, *draft: Finding, minutes: float = 10.0, preset: str = "standard") -> Treatments:
    spec = make.spec(protocol={"preset": preset}, budget={"minutes": minutes})
    steps = Session(spec, executor, lambda _: draft, lambda _: None, time.monotonic()).run()
    assert isinstance(steps.treatments, Measured), steps.treatments
    return steps.treatments.value


def both_of(treatments: Treatments) -> tuple[Treatment, ...]:
    return tuple(one for one in treatments.treatments if one.parts)


def test_two_cures_that_do_nothing_alone_are_tried_together() -> None:
    executor = reaching(lambda trial: GOOD if is_cured(trial) else CHANCE)
    first, second, both = treated(executor, found("a", LOGITS), found("b", DECAY)).treatments
    assert (first.fix, second.fix) == (LOGITS.key, DECAY.key) == both.parts
    assert both.rule == "a"
    assert (both.patch, both.transforms) == (DECAY.patch, LOGITS.transforms)
    assert all(value is not None and value < 0.2 for value in first.after + second.after)
    assert all(value is not None and value > 0.9 for value in both.after)


def test_the_untreated_runs_of_the_single_cures_serve_the_pair_too() -> None:
    executor = reaching(lambda trial: GOOD if is_cured(trial) else CHANCE)
    treated(executor, found("a", LOGITS), found("b", DECAY))
    untreated = [t.seed for t in executor.given if t.scheduled and not t.changes and not t.transforms]
    together = [t.seed for t in executor.given if is_cured(t)]
    assert sorted(untreated) == sorted(together) == [0, 1, 2, 3, 4, 5]


def test_a_pair_that_does_no_better_costs_three_runs_and_no_more() -> None:
    executor = reaching(lambda _: CHANCE)
    (both,) = both_of(treated(executor, found("a", LOGITS), found("b", DECAY)))
    assert (both.seeds, both.looks) == ((0, 1, 2), 1)
    assert sum(is_cured(trial) for trial in executor.given) == 3


def test_the_pair_comes_before_the_fixes_of_lesser_findings() -> None:
    hints = [
        found(f"hint-{n}", Fix(title=f"h{n}", patch={"optimizer.momentum": n / 10}), severity="info") for n in (1, 2)
    ]
    executor = reaching(lambda trial: GOOD if is_cured(trial) else CHANCE)
    treated(executor, found("a", LOGITS), found("b", DECAY), *hints)
    firsts = [is_cured(trial) or "optimizer.momentum" in trial.changes for trial in executor.given if trial.scheduled]
    given = [trial for trial in executor.given if trial.scheduled]
    assert is_cured(given[firsts.index(True)])


def test_one_cause_has_no_pair() -> None:
    executor = reaching(lambda _: CHANCE)
    assert both_of(treated(executor, found("a", LOGITS, DECAY))) == ()


def test_a_cure_that_cannot_be_applied_is_no_half_of_a_pair() -> None:
    error = UserError(kind="Unsupported", message="no activation stands at the very end", traceback="")

    def change(trial: Trial, result: TrialResult) -> TrialResult:
        return TrialResult(outcome=Outcome.USER_ERROR, error=error) if trial.transforms else result

    assert both_of(treated(ToyExecutor(change=change), found("a", LOGITS), found("b", DECAY))) == ()


def test_an_effect_that_stays_when_its_cause_is_cured_is_paired_with_it() -> None:
    executor = reaching(lambda trial: GOOD if is_cured(trial) else CHANCE)
    (both,) = both_of(treated(executor, found("a", LOGITS), found("b", DECAY, explained_by=("a",))))
    assert both.parts == (LOGITS.key, DECAY.key)
    gone = reaching(lambda trial: GOOD if trial.transforms else CHANCE)
    assert both_of(treated(gone, found("a", LOGITS), found("b", DECAY, explained_by=("a",)))) == ()


def test_the_quick_preset_tries_a_pair_where_it_tries_both_cures() -> None:
    executor = reaching(lambda trial: GOOD if is_cured(trial) else CHANCE)
    assert len(both_of(treated(executor, found("a", LOGITS), found("b", DECAY), preset="quick"))) == 1
    assert both_of(treated(executor, found("a", LOGITS, WIDER), found("b", DECAY), preset="quick")) == ()
