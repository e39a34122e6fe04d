"""An edit measures again what it can change, and nothing else: which edit gives which work another key."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from diagnoser.evidence.evidence import Environment, Source
from diagnoser.sandbox import keys
from diagnoser.sandbox.keys import USED_BY_PROBE, USED_BY_SOME, Keys, engine_hash
from diagnoser.spec.fields import (
    Budget,
    EarlyStopping,
    Ema,
    Gate,
    Ignore,
    Protocol,
    Range,
    Rules,
    Scheduler,
    TrainingSpec,
)
from diagnoser.trials import Probe, ProbeKind, Rows, Transform, Trial, TrialResult

ENVIRONMENT = Environment(
    python="3.11.7",
    torch="2.13.0",
    packages={"numpy": "2.0", "torch": "2.13.0"},
    platform="Linux here",
    device="cpu (x86_64)",
    cpu_count=2,
    source=Source(folder="project", hash="a" * 64, code_hash="d" * 64, files=("project.py",)),
    data_fingerprint="b" * 64,
)
TRIAL = Trial(seed=0, updates=10)
FRESH = Trial(seed=0, updates=0, evaluations=0, regularised=False)

Edit = Callable[[TrainingSpec], TrainingSpec]


def key(spec: TrainingSpec, work: Trial | Probe = TRIAL, environment: Environment = ENVIRONMENT) -> str:
    found = Keys(spec=spec, environment=environment).of(work)
    assert found is not None
    return found


def changed(**fields: object) -> Edit:
    return lambda spec: spec.model_copy(update=fields)


def optimizer(**fields: object) -> Edit:
    return lambda spec: spec.model_copy(update={"optimizer": spec.optimizer.model_copy(update=fields)})


NOTHING_IS_MEASURED_AGAIN: dict[str, Edit] = {
    "a new name": changed(name="other"),
    "another search": changed(search={"optimizer.lr": Range(range=(1e-4, 1e-1), scale="log")}),
    "another budget": changed(budget=Budget(minutes=99)),
    "another preset": changed(protocol=Protocol(preset="quick")),
    "an accepted finding": changed(rules=Rules(ignore=(Ignore(rule="noisy-labels", reason="known"),))),
    "another gate": changed(gate=Gate(mode="all")),
}
A_TRIAL_IS_MEASURED_AGAIN: dict[str, Edit] = {
    "another lr": optimizer(lr=0.5),
    "another optimizer": optimizer(name="sgd"),
    "a limit to the gradient": changed(gradient_clip_norm=1.0),
    "another width": lambda spec: spec.model_copy(
        update={"model": spec.model.model_copy(update={"args": {"width": 5}})}
    ),
    "another batch size": lambda spec: spec.model_copy(update={"data": spec.data.model_copy(update={"batch_size": 7})}),
    "another loss": changed(loss=None),
    "another seed": changed(seed=5),
    "another precision": changed(precision="bfloat16"),
}
ELSEWHERE: dict[str, dict[str, object]] = {
    "what an imported file says": {"source": Source(folder="project", hash="c" * 64, code_hash="c" * 64)},
    "the data": {"data_fingerprint": "c" * 64},
    "the version of torch": {"torch": "2.14.0"},
    "a package": {"packages": {"numpy": "2.1", "torch": "2.13.0"}},
    "the device": {"device": "cuda (A100)"},
    "the minor version of Python": {"python": "3.12.0"},
}


@pytest.mark.parametrize("work", [TRIAL, FRESH, *(Probe(probe=kind) for kind in ProbeKind)], ids=str)
@pytest.mark.parametrize("edit", NOTHING_IS_MEASURED_AGAIN)
def test_nothing_is_measured_again_after(edit: str, work: Trial | Probe, spec: TrainingSpec) -> None:
    assert key(NOTHING_IS_MEASURED_AGAIN[edit](spec), work) == key(spec, work)


@pytest.mark.parametrize("edit", A_TRIAL_IS_MEASURED_AGAIN)
def test_a_trial_is_measured_again_after(edit: str, spec: TrainingSpec) -> None:
    assert key(A_TRIAL_IS_MEASURED_AGAIN[edit](spec)) != key(spec)


@pytest.mark.parametrize("work", [TRIAL, FRESH, *(Probe(probe=kind) for kind in ProbeKind)], ids=str)
@pytest.mark.parametrize("what", ELSEWHERE)
def test_everything_is_measured_again_when_a_change_concerns(
    what: str, work: Trial | Probe, spec: TrainingSpec
) -> None:
    assert key(spec, work, ENVIRONMENT.model_copy(update=ELSEWHERE[what])) != key(spec, work)


@pytest.mark.parametrize("work", [TRIAL, *(Probe(probe=kind) for kind in ProbeKind)], ids=str)
def test_a_comment_measures_nothing_again(work: Trial | Probe, spec: TrainingSpec) -> None:
    commented = ENVIRONMENT.source.model_copy(update={"hash": "e" * 64})  # other bytes that say the same
    assert key(spec, work, ENVIRONMENT.model_copy(update={"source": commented})) == key(spec, work)


def test_a_source_that_tells_only_its_bytes_counts_by_them(spec: TrainingSpec) -> None:
    one, other = (
        ENVIRONMENT.model_copy(update={"source": Source(folder="project", hash=letter * 64)}) for letter in "ae"
    )
    assert key(spec, environment=one) != key(spec, environment=other)


def test_a_change_in_the_spec_is_the_same_change_in_the_trial(spec: TrainingSpec) -> None:
    by_trial = Trial(seed=0, updates=10, changes={"optimizer.lr": 0.5})
    assert key(spec, by_trial) == key(optimizer(lr=0.5)(spec))


def test_a_trial_that_says_what_the_spec_says_is_the_same_trial(spec: TrainingSpec) -> None:
    assert key(spec, TRIAL.model_copy(update={"changes": {"optimizer.lr": spec.optimizer.lr}})) == key(spec)


def test_a_batch_size_said_by_the_trial_wins_over_a_loader_of_the_users(spec: TrainingSpec) -> None:
    said = TRIAL.model_copy(update={"changes": {"data.batch_size": spec.data.batch_size}})
    assert key(spec, said) != key(spec)


@dataclass(frozen=True)
class Spared:
    """Trials that an edit leaves alone."""

    edit: Edit
    trial: Trial


SPARED: dict[str, Spared] = {
    "the lr, for a trial that sets its own": Spared(
        optimizer(lr=0.5), Trial(seed=0, updates=10, changes={"optimizer.lr": 0.1})
    ),
    "the lr, for a model that is not trained": Spared(optimizer(lr=0.5), FRESH),
    "the optimizer, for a model that is not trained": Spared(optimizer(name="sgd", momentum=0.9), FRESH),
    "clipping, for a model that is not trained": Spared(changed(gradient_clip_norm=1.0), FRESH),
    "accumulation, for a model that is not trained": Spared(changed(accumulate_batches=4), FRESH),
    "the weight decay, for an unregularised trial": Spared(
        optimizer(weight_decay=0.1), Trial(seed=0, updates=10, regularised=False)
    ),
    "the weight decay, for a trial with a penalty": Spared(
        optimizer(args={"weight_decay": 0.1}), Trial(seed=0, updates=1, penalty=1.0)
    ),
    "a schedule, for a trial without it": Spared(changed(scheduler=Scheduler(name="cosine")), TRIAL),
    "early stopping, for a trial without it": Spared(changed(early_stopping=EarlyStopping()), TRIAL),
    "an average of weights, for a trial without it": Spared(changed(ema=Ema(decay=0.9)), TRIAL),
    "the number of epochs, for a trial with a length of its own": Spared(changed(epochs=50), TRIAL),
    "the number of steps, for a trial with a length of its own": Spared(changed(steps=50), TRIAL),
    "the number of epochs, where no schedule is drawn over them": Spared(
        changed(epochs=50), Trial(seed=0, updates=10, scheduled=True)
    ),
    "the user's loop, for a trial with ours": Spared(changed(loop="project:other"), TRIAL),
    "the user's evaluate, for a trial with our loop in place of theirs": Spared(
        changed(evaluate="project:other"), Trial(seed=0, updates=10, loop="user", transforms=(Transform.OUR_LOOP,))
    ),
    "the device that was asked for, where the one found is the same": Spared(changed(device="auto"), TRIAL),
}
NOT_SPARED: dict[str, Spared] = {
    "the lr, for a penalty's one update": Spared(optimizer(lr=0.5), Trial(seed=0, updates=1, penalty=1.0)),
    "the lr, for an evaluation that notes it": Spared(optimizer(lr=0.5), Trial(seed=0, updates=0)),
    "a factory of the user's, which could change the model": Spared(optimizer(factory="project:make"), FRESH),
    "the weight decay, for a regularised trial": Spared(optimizer(weight_decay=0.1), TRIAL),
    "the momentum, for an unregularised trial": Spared(
        optimizer(momentum=0.5), Trial(seed=0, updates=10, regularised=False)
    ),
    "a schedule, where it takes part": Spared(
        changed(scheduler=Scheduler(name="cosine")), Trial(seed=0, updates=10, scheduled=True)
    ),
    "the number of epochs, for the user's whole run": Spared(changed(epochs=50), Trial(seed=0)),
    "the number of epochs, where a schedule is drawn over them": Spared(
        lambda spec: spec.model_copy(update={"epochs": 50, "scheduler": Scheduler(name="cosine")}),
        Trial(seed=0, updates=10, scheduled=True, changes={"scheduler.name": "cosine"}),
    ),
    "the user's loop, where it trains": Spared(changed(loop="project:other"), Trial(seed=0, updates=10, loop="user")),
}


@pytest.mark.parametrize("case", SPARED)
def test_an_edit_spares_what_cannot_use_it(case: str, spec: TrainingSpec) -> None:
    assert key(SPARED[case].edit(spec), SPARED[case].trial) == key(spec, SPARED[case].trial)


@pytest.mark.parametrize("case", NOT_SPARED)
def test_an_edit_does_not_spare(case: str, spec: TrainingSpec) -> None:
    assert key(NOT_SPARED[case].edit(spec), NOT_SPARED[case].trial) != key(spec, NOT_SPARED[case].trial)


WORK: dict[str, Trial | Probe] = {
    "another seed": Trial(seed=1, updates=10),
    "another length": Trial(seed=0, updates=11),
    "fewer rows": Trial(seed=0, updates=10, rows=Rows(per_class=2)),
    "a transform": Trial(seed=0, updates=10, transforms=(Transform.STANDARDISE_INPUTS,)),
    "instruments": Trial(seed=0, updates=10, instruments=True),
    "more evaluations": Trial(seed=0, updates=10, evaluations=2),
    "another probe": Probe(probe=ProbeKind.DATA),
}


@pytest.mark.parametrize("case", WORK)
def test_other_work_has_another_key(case: str, spec: TrainingSpec) -> None:
    assert key(spec, WORK[case]) != key(spec)


def test_a_time_limit_that_was_not_reached_changes_nothing(spec: TrainingSpec) -> None:
    assert key(spec, Trial(seed=0, updates=10, max_seconds=5.0)) == key(spec)


def test_how_many_trials_are_trained_together_changes_nothing() -> None:
    assert "stacked" in TrialResult.model_fields  # what was done, not what was asked for
    assert "stacked" not in Trial.model_fields


# Probes: for each the fields that it leaves alone; what they measure is compared in test_keys_and_results.py.
def test_every_probe_says_what_it_uses_of_training() -> None:
    assert set(USED_BY_PROBE) == set(ProbeKind)
    assert frozenset().union(*USED_BY_PROBE.values()) <= USED_BY_SOME <= set(TrainingSpec.model_fields)


@pytest.mark.parametrize("kind", ProbeKind)
def test_another_optimizer_is_seen_by_the_probes_that_step(kind: ProbeKind, spec: TrainingSpec) -> None:
    steps = {"assumptions", "model", "optimizer", "loop", "system", "repeatability"}
    probe = Probe(probe=kind)
    assert (key(optimizer(name="sgd")(spec), probe) != key(spec, probe)) is (kind in steps)


@pytest.mark.parametrize(("name", "timed_again"), [("adam", False), ("lbfgs", True), ("LBFGS", True)])
def test_another_lr_is_no_reason_to_time_a_step_again(name: str, timed_again: bool, spec: TrainingSpec) -> None:
    before, probe = optimizer(name=name)(spec), Probe(probe=ProbeKind.SYSTEM)
    assert (key(optimizer(lr=0.5)(before), probe) != key(before, probe)) is timed_again


def test_what_a_step_costs_is_true_of_one_machine(spec: TrainingSpec) -> None:
    other = ENVIRONMENT.model_copy(update={"platform": "Linux there"})
    cost, data = Probe(probe=ProbeKind.SYSTEM), Probe(probe=ProbeKind.DATA)
    assert key(spec, cost, other) != key(spec, cost)
    assert key(spec, data, other) == key(spec, data)


def test_changes_that_make_no_spec_have_no_key(spec: TrainingSpec) -> None:
    work = Trial(seed=0, changes={"optimizer.lr": -1.0})
    assert Keys(spec=spec, environment=ENVIRONMENT).of(work) is None


def test_a_field_that_nobody_thought_of_is_in_the_key(spec: TrainingSpec) -> None:
    """Only what is known not to matter is left out: every other field of the spec counts for a plain trial."""
    unused = keys.NOT_MEASURED_WITH | USED_BY_SOME
    used = keys.used_by_trial(spec, TRIAL)
    assert all(f'"{name}":' in used for name in set(TrainingSpec.model_fields) - unused)


def test_the_engine_is_named_by_its_sources_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the engine has the same name, until one of its files says something else."""

    def named(folder: Path) -> str:
        monkeypatch.setattr(keys, "__file__", str(folder / "sandbox" / "keys.py"))
        return engine_hash.__wrapped__()

    def written(folder: Path, *, changed: str | None) -> Path:
        for name in ("training/loop.py", "training/probes/loss.py", "training/stacked/running.py", "spec/fields.py"):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("changed" if name == changed else "", encoding="utf-8")
        return folder

    one = named(written(tmp_path / "one", changed=None))
    assert named(written(tmp_path / "same", changed=None)) == one
    for part in ("training/stacked/running.py", "training/probes/loss.py", "spec/fields.py"):
        assert named(written(tmp_path / part.replace("/", "-"), changed=part)) != one
