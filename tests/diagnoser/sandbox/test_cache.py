"""An edit measures again what it can change, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from diagnoser.evidence.evidence import Environment, Source
from diagnoser.sandbox.cache import Cache, Keys, default_folder
from diagnoser.spec.fields import Budget, Ema, Protocol, Scheduler, TrainingSpec
from diagnoser.trials import Outcome, Probe, ProbeKind, Trial, TrialResult, UserError

ENVIRONMENT = Environment(
    python="3.11.7",
    torch="2.13.0",
    packages={"numpy": "2.0", "torch": "2.13.0"},
    platform="Linux here",
    device="cpu (x86_64)",
    cpu_count=2,
    source=Source(folder="project", hash="a" * 64, files=("project.py",)),
    data_fingerprint="b" * 64,
)
TRIAL = Trial(seed=0, updates=10)
RESULT = TrialResult(outcome=Outcome.COMPLETED, losses=(1.0, float("nan")), updates=2)


def key(spec: TrainingSpec, work: Trial | Probe = TRIAL, environment: Environment = ENVIRONMENT) -> str:
    found = Keys(spec=spec, environment=environment).of(work)
    assert found is not None
    return found


def changed(spec: TrainingSpec, **fields: object) -> TrainingSpec:
    return spec.model_copy(update=fields)


KEEPS: dict[str, Callable[[TrainingSpec], TrainingSpec]] = {
    "a new name": lambda spec: changed(spec, name="other"),
    "another budget": lambda spec: changed(spec, budget=Budget(minutes=99)),
    "another preset": lambda spec: changed(spec, protocol=Protocol(preset="quick")),
    "a scheduler, for a trial without it": lambda spec: changed(spec, scheduler=Scheduler(name="cosine")),
    "an average of weights, for a trial without it": lambda spec: changed(spec, ema=Ema(decay=0.9)),
}
CHANGES: dict[str, Callable[[TrainingSpec], TrainingSpec]] = {
    "another lr": lambda spec: changed(spec, optimizer=spec.optimizer.model_copy(update={"lr": 0.5})),
    "another width": lambda spec: changed(spec, model=spec.model.model_copy(update={"args": {"width": 5}})),
    "another batch size": lambda spec: changed(spec, data=spec.data.model_copy(update={"batch_size": 7})),
    "another loss": lambda spec: changed(spec, loss=None),
    "another seed": lambda spec: changed(spec, seed=5),
    "another precision": lambda spec: changed(spec, precision="bfloat16"),
}
ELSEWHERE: dict[str, dict[str, object]] = {
    "an imported file": {"source": Source(folder="project", hash="c" * 64)},
    "the data": {"data_fingerprint": "c" * 64},
    "the version of torch": {"torch": "2.14.0"},
    "a package": {"packages": {"numpy": "2.1", "torch": "2.13.0"}},
    "the device": {"device": "cuda (A100)"},
    "the minor version of Python": {"python": "3.12.0"},
}


@pytest.mark.parametrize("edit", KEEPS)
def test_nothing_is_measured_again_after(edit: str, spec: TrainingSpec) -> None:
    assert key(KEEPS[edit](spec)) == key(spec)


@pytest.mark.parametrize("edit", CHANGES)
def test_a_trial_is_measured_again_after(edit: str, spec: TrainingSpec) -> None:
    assert key(CHANGES[edit](spec)) != key(spec)


@pytest.mark.parametrize("what", ELSEWHERE)
def test_a_trial_is_measured_again_when_a_change_concerns(what: str, spec: TrainingSpec) -> None:
    assert key(spec, environment=ENVIRONMENT.model_copy(update=ELSEWHERE[what])) != key(spec)


def test_a_change_in_the_spec_is_the_same_change_in_the_trial(spec: TrainingSpec) -> None:
    by_trial = Trial(seed=0, updates=10, changes={"optimizer.lr": 0.5})
    assert key(spec, by_trial) == key(CHANGES["another lr"](spec))


def test_the_scheduler_matters_where_it_takes_part(spec: TrainingSpec) -> None:
    scheduled = Trial(seed=0, updates=10, scheduled=True)
    assert key(changed(spec, scheduler=Scheduler(name="cosine")), scheduled) != key(spec, scheduled)


def test_a_time_limit_that_was_not_reached_changes_nothing(spec: TrainingSpec) -> None:
    assert key(spec, Trial(seed=0, updates=10, max_seconds=5.0)) == key(spec)


def test_what_a_step_costs_is_true_of_one_machine(spec: TrainingSpec) -> None:
    other = ENVIRONMENT.model_copy(update={"platform": "Linux there"})
    cost, data = Probe(probe=ProbeKind.SYSTEM), Probe(probe=ProbeKind.DATA)
    assert key(spec, cost, other) != key(spec, cost)
    assert key(spec, data, other) == key(spec, data)


def test_changes_that_make_no_spec_have_no_key(spec: TrainingSpec) -> None:
    work = Trial(seed=0, changes={"optimizer.lr": -1.0})
    assert Keys(spec=spec, environment=ENVIRONMENT).of(work) is None


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("ab", RESULT, files={})
    found = cache.get("ab", file_hash=lambda name: None)
    assert found is not None
    assert found.model_dump_json() == RESULT.model_dump_json()


def test_a_result_rests_on_the_files_that_were_imported_meanwhile(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("ab", RESULT, files={"late.py": "1"})
    assert cache.get("ab", file_hash=lambda name: "1") is not None
    assert cache.get("ab", file_hash=lambda name: "2") is None


@pytest.mark.parametrize("content", ["", "{", '{"result": 3}', "\x00\xff"])
def test_a_file_that_is_damaged_is_measured_again(content: str, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("ab", RESULT, files={})
    (file,) = tmp_path.glob("??/*.json")
    file.write_text(content, encoding="latin-1")
    assert cache.get("ab", file_hash=lambda name: None) is None


@pytest.mark.parametrize(
    "result",
    [
        TrialResult(outcome=Outcome.TIMED_OUT, stopped_by="time"),
        TrialResult(outcome=Outcome.WORKER_LOST),
        TrialResult(outcome=Outcome.OUT_OF_MEMORY),
        TrialResult(outcome=Outcome.COMPLETED, stopped_by="time"),
        TrialResult(outcome=Outcome.USER_ERROR, error=UserError(kind="OSError", message="", traceback="")),
    ],
    ids=lambda result: f"{result.outcome} stopped by {result.stopped_by}",
)
def test_what_another_try_could_change_is_not_kept(result: TrialResult, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("ab", result, files={})
    assert cache.get("ab", file_hash=lambda name: None) is None


def test_the_oldest_results_go_when_the_folder_is_full(tmp_path: Path) -> None:
    full = 20 * len(RESULT.model_dump_json())
    cache = Cache(tmp_path / "full", largest=full)
    for number in range(60):
        cache.put(f"{number:02d}", RESULT, files={})
    kept = sum(file.stat().st_size for file in (tmp_path / "full").glob("??/*"))
    assert kept <= full
    assert cache.get("59", file_hash=lambda name: None) is not None
    assert cache.get("00", file_hash=lambda name: None) is None


def test_a_folder_that_cannot_be_written_is_told_and_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    cache = Cache(tmp_path / "file")
    cache.put("ab", RESULT, files={})
    assert cache.get("ab", file_hash=lambda name: None) is None
    assert cache.problem is not None
    assert "results are not kept" in cache.problem


def test_the_users_environment_chooses_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIAGNOSER_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.setenv("DIAGNOSER_CACHE", "")
    assert default_folder() is None
