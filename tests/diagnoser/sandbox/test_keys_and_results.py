"""Where two specs give a piece of work one key, it measures the same under both, to the last bit: times aside."""

import functools
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import pytest
import torch

from diagnoser.evidence.evidence import Environment, Source
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.records import JsonValue
from diagnoser.sandbox.cache import is_repeatable
from diagnoser.sandbox.keys import USED_BY_PROBE, USED_BY_SOME, Keys
from diagnoser.spec.fields import Data, Factory, Loss, Optimizer, TrainingSpec
from diagnoser.spec.patching import apply_changes
from diagnoser.training.loop import run_trial
from diagnoser.training.probing import run_probe
from diagnoser.training.workload import Workload, load
from diagnoser.trials import Outcome, Probe, ProbeKind, Rows, Transform, Trial, TrialResult

CODE = """
import torch
from torch import nn


def model():
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 3))


def data():
    x = torch.randn(96, 6, generator=torch.Generator().manual_seed(3))
    y = x[:, :3].argmax(1)
    return (x[:64], y[:64]), (x[64:], y[64:])


def fit(model, optimizer, batches, scheduler=None):
    model.train()
    for x, y in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


def fit_without_a_schedule(model, optimizer, batches):
    fit(model, optimizer, batches)


def score(model, batches):
    model.eval()
    with torch.no_grad():
        return {"right": sum(int((model(x).argmax(1) == y).sum()) for x, y in batches)}


def count(model, batches):
    return {"batches": len(batches)}


def momentum(model, lr, weight_decay):
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay)
"""
SPEC = TrainingSpec(
    name="keys",
    model=Factory(factory="users_project:model"),
    data=Data(factory="users_project:data", batch_size=16),
    loss=Loss(name="cross_entropy"),
    optimizer=Optimizer(name="adamw", lr=0.01, weight_decay=0.01),
    loop="users_project:fit",
    evaluate="users_project:score",
    epochs=2,
    device="cpu",
)
EDITS: Mapping[str, dict[str, JsonValue]] = {
    "lr": {"optimizer.lr": 0.1},
    "weight decay": {"optimizer.weight_decay": 0.2},
    "weight decay among the arguments": {"optimizer.args": {"weight_decay": 0.2}},
    "momentum": {"optimizer.momentum": 0.5},
    "optimizer": {"optimizer.name": "sgd"},
    "optimizer factory": {"optimizer.factory": "users_project:momentum"},
    "scheduler": {"scheduler": {"name": "cosine", "interval": "step"}},
    "epochs": {"epochs": 3},
    "steps": {"steps": 5},
    "early stopping": {"early_stopping": {"patience": 1}},
    "average": {"ema": {"decay": 0.5}},
    "clipping": {"gradient_clip_norm": 0.01},
    "accumulation": {"accumulate_batches": 2},
    "loop": {"loop": "users_project:fit_without_a_schedule"},
    "evaluate": {"evaluate": "users_project:count"},
    "device": {"device": "cpu" if torch.cuda.is_available() else "auto"},
}
TRIALS: Mapping[str, Trial] = {
    "fresh": Trial(seed=1, updates=0, regularised=False, evaluations=0),
    "fresh with instruments": Trial(seed=1, updates=0, evaluations=0, instruments=True),
    "penalty": Trial(seed=1, updates=1, regularised=False, evaluations=0, penalty=1.0),
    "small set": Trial(
        seed=1,
        changes={"optimizer.lr": 0.03},
        rows=Rows(per_class=4),
        updates=40,
        regularised=False,
        evaluations=0,
        stop_when_memorised=True,
        stop_when_stalled=True,
    ),
    "scan": Trial(seed=1, changes={"optimizer.lr": 0.03, "optimizer.weight_decay": 1e-4}, updates=12),
    "short": Trial(seed=1, updates=12, evaluations=2, instruments=True),
    "scheduled": Trial(seed=1, updates=12, scheduled=True, evaluations=2),
    "whole": Trial(seed=1, scheduled=True, evaluations=2),
    "user's loop": Trial(seed=1, updates=6, scheduled=True, loop="user"),
    "our loop for theirs": Trial(seed=1, updates=6, loop="user", transforms=(Transform.OUR_LOOP,)),
}
EVERYTHING = frozenset(TRIALS)
NOT_TRAINED = frozenset({"fresh", "fresh with instruments"})
UNREGULARISED = frozenset({"fresh", "penalty", "small set"})
LENGTH_OF_ITS_OWN = EVERYTHING - {"whole"}
UNSCHEDULED = EVERYTHING - {"scheduled", "whole", "user's loop"}
SPARED: Mapping[str, frozenset[str]] = {
    "lr": NOT_TRAINED | {"small set", "scan"},
    "weight decay": NOT_TRAINED | UNREGULARISED | {"scan"},
    "weight decay among the arguments": NOT_TRAINED | UNREGULARISED,
    "momentum": NOT_TRAINED,
    "optimizer": NOT_TRAINED,
    "optimizer factory": frozenset(),
    "scheduler": UNSCHEDULED,
    "epochs": LENGTH_OF_ITS_OWN,
    "steps": LENGTH_OF_ITS_OWN,
    "early stopping": UNSCHEDULED,
    "average": UNSCHEDULED,
    "clipping": NOT_TRAINED,
    "accumulation": NOT_TRAINED,
    "loop": EVERYTHING - {"user's loop"},
    "evaluate": EVERYTHING - {"user's loop"},
    "device": EVERYTHING,
}
"""Trials that are not run again after an edit. A name that is missing here would cost training; one too many, truth."""
LOOPS: tuple[Literal["ours", "user"], ...] = ("ours", "user")
MEASURED_TIMES = {"seconds", "peak_memory_mb"}


@pytest.fixture(scope="module", autouse=True)
def _project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "users_project.py").write_text(CODE, encoding="utf-8")
    FOLDER.append(folder)
    yield
    FOLDER.clear()
    loaded.cache_clear()
    result.cache_clear()


FOLDER: list[Path] = []


@functools.cache
def loaded(text: str) -> Workload:
    return load(TrainingSpec.model_validate_json(text), folder=FOLDER[0])


@functools.cache
def result(text: str, trial: str) -> str:
    found = run_trial(loaded(text), Trial.model_validate_json(trial))
    assert found.outcome is Outcome.COMPLETED, found.error
    return found.model_dump_json(exclude=MEASURED_TIMES)


def measured(spec: TrainingSpec, trial: Trial) -> str:
    return result(spec.model_dump_json(), trial.model_dump_json())


def key(spec: TrainingSpec, work: Trial | Probe) -> str:
    environment = Environment(
        python="3.11", torch="2", packages={}, platform="", device="cpu", cpu_count=1,
        source=Source(folder="", hash=""), data_fingerprint="",
    )  # fmt: skip
    found = Keys(spec=spec, environment=environment).of(work)
    assert found is not None
    return found


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_edit_spares_would_measure_the_same(edit: str) -> None:
    edited = apply_changes(SPEC, EDITS[edit])
    spared = {name for name, trial in TRIALS.items() if key(edited, trial) == key(SPEC, trial)}
    assert spared == SPARED[edit]
    for name in sorted(spared):
        assert measured(edited, TRIALS[name]) == measured(SPEC, TRIALS[name]), name


# These edits are felt by every trial that they concern; others need not be (Adam's first step knows no momentum).
@pytest.mark.parametrize("edit", ["lr", "optimizer", "accumulation", "average"])
def test_what_is_measured_again_measures_something_else(edit: str) -> None:
    edited = apply_changes(SPEC, EDITS[edit])
    for name in sorted(EVERYTHING - SPARED[edit]):
        assert measured(edited, TRIALS[name]) != measured(SPEC, TRIALS[name]), name


RICH = apply_changes(
    SPEC,
    {
        "scheduler": {"name": "exponential", "interval": "step"},
        "early_stopping": {"patience": 2},
        "ema": {"decay": 0.9},
        "gradient_clip_norm": 0.5,
        "accumulate_batches": 3,
        "optimizer.args": {"betas": [0.8, 0.99]},
    },
)
"""A spec that says everything which a trial may use or not."""

EVERY_TRIAL = tuple(
    Trial(
        seed=2, updates=updates, evaluations=evaluations, regularised=regularised, scheduled=scheduled, loop=loop,
        instruments=evaluations == 1,
    )
    for updates, evaluations, regularised, scheduled, loop in itertools.product(
        (None, 0, 1), (0, 1), (False, True), (False, True), LOOPS
    )
)  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_whatever_the_trial_one_key_means_one_result(edit: str) -> None:
    edited = apply_changes(RICH, EDITS[edit])
    assert edited != RICH
    for trial in EVERY_TRIAL:
        if key(edited, trial) == key(RICH, trial):
            assert measured(edited, trial) == measured(RICH, trial), trial


UNUSED_BY_PROBES: Mapping[str, dict[str, JsonValue]] = {
    "optimizer": {"optimizer.name": "sgd", "optimizer.lr": 0.5, "optimizer.momentum": 0.9},
    "scheduler": {"scheduler": {"name": "cosine"}},
    "epochs": {"epochs": 7},
    "early_stopping": {"early_stopping": {"patience": 1}},
    "gradient_clip_norm": {"gradient_clip_norm": 0.01},
    "accumulate_batches": {"accumulate_batches": 2},
    "ema": {"ema": {"decay": 0.5}},
    "loop": {"loop": "users_project:fit_without_a_schedule"},
    "evaluate": {"evaluate": "users_project:count"},
    "device": EDITS["device"],
}


@pytest.mark.parametrize("kind", [kind for kind in ProbeKind if kind is not ProbeKind.SYSTEM])  # it measures times
def test_a_probe_measures_the_same_when_all_that_it_does_not_use_is_edited(kind: ProbeKind) -> None:
    unused = USED_BY_SOME - USED_BY_PROBE[kind] - {"steps"}  # epochs stand for both
    edited = SPEC
    for name in sorted(unused):
        edited = apply_changes(edited, UNUSED_BY_PROBES[name])
    probe = Probe(probe=kind)
    assert key(edited, probe) == key(SPEC, probe)
    before, after = (run_probe(loaded(spec.model_dump_json()), probe) for spec in (SPEC, edited))
    assert before.outcome is Outcome.COMPLETED
    assert before.value is not None
    assert without_times(after) == without_times(before)


def without_times(result: ProbeResult) -> str:
    return result.model_dump_json(exclude={"seconds": True, "value": {"memory_growth_share"}})


def test_a_fresh_model_whose_loss_is_no_number_is_not_kept(tmp_path: Path) -> None:
    """Where the NaN comes from is looked for in a training step, and so with the optimizer, which its key leaves out."""
    code = CODE.replace("y = x[:, :3].argmax(1)", "y = x[:, :3].argmax(1)\n    x[40] = float('nan')")
    (tmp_path / "other_project.py").write_text(code, encoding="utf-8")
    changes: dict[str, JsonValue] = {f"{part}.factory": f"other_project:{part}" for part in ("model", "data")}
    spec = apply_changes(SPEC, {**changes, "loop": None, "evaluate": None})
    found = run_trial(load(spec, folder=tmp_path), TRIALS["fresh"])
    assert found.outcome is Outcome.COMPLETED
    assert found.first_non_finite is not None
    assert not is_repeatable(found)
    assert is_repeatable(TrialResult(outcome=Outcome.DIVERGED, stopped_by="diverged", first_non_finite="loss"))
