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


def test_a_fix_that_helps_some_seeds_and_harms_none_is_looked_at_three_times() -> None:
    """A fault that hits two seeds of three, as a dead last ReLU does, is told from chance by more seeds."""

    def accuracy(trial: Trial) -> float:
        return GOOD if trial.transforms or trial.seed % 3 == 0 else CHANCE

    def change(trial: Trial, result: TrialResult) -> TrialResult:
        points = tuple(point.model_copy(update={"validation_metric": accuracy(trial)}) for point in result.evaluations)
        return result.model_copy(update={"evaluations": points})

    (one,) = treated(ToyExecutor(change=change), found("a", LOGITS)).treatments
    assert (one.looks, len(one.seeds), len(one.before)) == (3, 12, 12)
    (sure,) = treated(reaching(lambda t: GOOD if t.transforms else CHANCE), found("a", LOGITS)).treatments
    assert (sure.looks, len(sure.seeds)) == (2, 6)


LARGER = Fix(title="Batches of 32", patch={"data.batch_size": 32})


def shortened(accuracy: Callable[[Trial], float]) -> tuple[ToyExecutor, Treatments | None]:
    """A run far too long for its budget, with batches of 8."""
    executor = reaching(accuracy)
    executor.total_updates, executor.seconds_per_update = 100_000, 0.01
    spec = make.spec(data={"factory": "m:d", "batch_size": 8}, budget={"minutes": 2})
    draft = (found("a", LARGER, WIDER),)
    steps = Session(spec, executor, lambda _: draft, lambda _: None, time.monotonic()).run()
    return executor, steps.treatments.value if isinstance(steps.treatments, Measured) else None


def test_where_runs_are_shortened_another_batch_is_compared_over_as_many_rows() -> None:
    executor, treatments = shortened(lambda trial: GOOD if trial.changes else CHANCE)
    assert treatments is not None
    assert [one.fix for one in treatments.treatments] == [LARGER.key]  # a longer run would win by its length alone
    assert WIDER.key in treatments.skipped
    before, after = ([t.updates for t in executor.given if t.scheduled and bool(t.changes) is c] for c in (False, True))
    shorter = {updates for updates in before if updates is not None}
    assert {round(updates / 4) for updates in shorter} == set(after)


def test_that_fewer_updates_over_as_many_rows_are_no_better_refutes_nothing() -> None:
    _, treatments = shortened(lambda trial: CHANCE / 2 if trial.changes else CHANCE)
    assert treatments is None or LARGER.key in treatments.skipped
