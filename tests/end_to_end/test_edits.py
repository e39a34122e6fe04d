"""After an edit only that is trained again which the edit can change; a job that was killed goes on where it was."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from diagnoser.evidence.steps import Steps
from diagnoser.messages import Loaded, Result, Work
from diagnoser.protocol.session import Session
from diagnoser.sandbox.children import Children
from diagnoser.sandbox.limits import Machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.reading import read_spec
from diagnoser.trials import Trial
from tests.helpers.command_line import diagnoser, environment

PROJECT = '''
"""A small network on a small table."""

import numpy as np
import torch
from torch import nn


def model(width: int = 16) -> nn.Module:
    """Two layers."""
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))


def data(path: str = "rows.csv"):
    table = np.loadtxt(path, delimiter=",", dtype=np.float32)
    x, y = torch.from_numpy(table[:, :4]), torch.from_numpy(table[:, 4]).long()
    return (x[:240], y[:240]), (x[240:], y[240:])
'''
# With so much time nothing is shortened: lengths that follow from the clock would be other trials.
SPEC = """\
name: edits
model: project:model
data: {factory: project:data, batch_size: 32}
loss: cross_entropy
optimizer: {name: adam, lr: 0.012, weight_decay: 0.0}
epochs: 5
device: cpu
protocol: {preset: quick}
budget: {minutes: 60}
"""
FRESH, PENALTY, SMALL_SET, SCAN = "fresh models", "penalty", "small set", "scan"
ENOUGH = 14  # results, with which a job is killed in the midst of its trials: the ten probes come first
NOTHING = frozenset[str]()
EVERYTHING = frozenset({FRESH, PENALTY, SMALL_SET, SCAN})


def write_project(folder: Path) -> Path:
    import numpy as np

    folder.mkdir()
    random = np.random.default_rng(0)
    x = random.standard_normal((400, 4))
    y = (x[:, :3] + 0.3 * random.standard_normal((400, 3))).argmax(1)
    np.savetxt(folder / "rows.csv", np.column_stack([x, y]), delimiter=",", fmt="%.5g")
    (folder / "project.py").write_text(PROJECT, encoding="utf-8")
    (folder / "diagnose.yaml").write_text(SPEC, encoding="utf-8")
    return folder


@dataclass
class Measured:
    """What one run did, piece by piece."""

    work: list[Work] = field(default_factory=list)  # that was really done
    answered: list[Work] = field(default_factory=list)  # from what is kept
    steps: str = ""

    @property
    def trained(self) -> Counter[str]:
        return Counter(step_of(work) for work in self.work if isinstance(work, Trial))


def step_of(trial: Trial) -> str:
    if trial.updates == 0:
        return FRESH
    if trial.penalty is not None:
        return PENALTY
    return SCAN if trial.rows.per_class is None else SMALL_SET


class Recorder(LocalExecutor):
    """Notes what was not answered by an earlier run."""

    measured: Measured

    def run(
        self, work: Sequence[Work], *, deadline: float, on_result: Callable[[int, Result], None]
    ) -> tuple[Result, ...]:
        known = self.trials_from_cache

        def noted(index: int, result: Result) -> None:
            nonlocal known
            measured = self.measured.work if self.trials_from_cache == known else self.measured.answered
            measured.append(work[index].model_copy(update={"max_seconds": None}))
            known = self.trials_from_cache
            on_result(index, result)

        return super().run(work, deadline=deadline, on_result=noted)


def measure(folder: Path, *, cache: Path) -> Measured:
    """Walk the steps in real children. Nobody judges, so nothing is treated: what rules say trains nothing here."""
    spec, _ = read_spec(folder / "diagnose.yaml")
    alone = Machine(cores=1, memory=None)  # a second child's start would cost more than it saves
    with Recorder(spec, folder=folder, cache=cache, machine=alone) as executor:
        executor.measured = Measured()
        executor.open()
        steps = Session(spec, executor, lambda steps: (), lambda event: None, time.monotonic()).run()
        assert executor.trials_run == len(executor.measured.work)
        return replace(executor.measured, steps=without_seconds(steps))


def without_seconds(steps: Steps) -> str:
    """Write the steps without how long each took: they were read this time, not measured."""
    value = json.loads(steps.model_dump_json())
    for outcome in (*value["preflight"].values(), *value.values()):
        outcome.pop("seconds", None)
    return json.dumps(value)


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


@dataclass(frozen=True)
class Row:
    """An edit, the steps that train something again, and why."""

    edit: Callable[[Path], None]
    trained: frozenset[str]
    because: str


def together(*edits: Callable[[Path], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        for each in edits:
            each(folder)

    return edit


TABLE: dict[str, Row] = {
    "name, budget, rules": Row(
        together(
            replaced("diagnose.yaml", "name: edits", "name: other"),
            replaced("diagnose.yaml", "minutes: 60", "minutes: 90"),
            replaced(
                "diagnose.yaml", "device: cpu", "device: cpu\nrules: {ignore: [{rule: noisy-labels, reason: known}]}"
            ),
        ),
        NOTHING,
        "no number depends on them",
    ),
    "a comment": Row(
        replaced("project.py", "def data", "# one table,\n# cut in two\n\ndef data"), NOTHING, "Python does not see it"
    ),
    "the lr": Row(
        replaced("diagnose.yaml", "lr: 0.012", "lr: 0.02"),
        frozenset({PENALTY, SMALL_SET, SCAN}),
        "fresh models are not trained, and the scan's grid has its own: new is the user's point in it",
    ),
    "the weight decay": Row(
        replaced("diagnose.yaml", "weight_decay: 0.0", "weight_decay: 0.01"),
        frozenset({SMALL_SET}),
        "only the small set's regularised control is trained with it: the scan has its own",
    ),
    "a layer": Row(replaced("project.py", "nn.ReLU()", "nn.Tanh()"), EVERYTHING, "it is another model"),
    "the data file": Row(replaced("rows.csv", ",", "1,"), EVERYTHING, "one digit more is other data"),
    "the torch version": Row(lambda folder: None, EVERYTHING, "its kernels may compute other digits"),
}


def test_an_edit_trains_again_what_it_can_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_project(tmp_path / "project")
    first = measure(folder, cache=tmp_path / "cache")
    assert set(first.trained) == EVERYTHING
    table = [f"{'(first run)':20} {say(first.trained)}"]
    runs = {}
    for name, row in TABLE.items():
        edited, cache = tmp_path / name, tmp_path / f"cache of {name}"
        shutil.copytree(folder, edited)
        shutil.copytree(tmp_path / "cache", cache)
        row.edit(edited)
        with monkeypatch.context() as patch:
            if name == "the torch version":
                patch.setattr(Children, "open", with_torch("2.99.0", Children.open))
            runs[name] = measure(edited, cache=cache)
        table.append(f"{name:20} {say(runs[name].trained):60} {row.because}")
    shown = "\n".join(table)
    assert {name: set(run.trained) for name, run in runs.items()} == {n: row.trained for n, row in TABLE.items()}, shown
    for name in ("name, budget, rules", "a comment"):
        assert runs[name].work == [], shown
        assert runs[name].steps == first.steps
    for name in ("a layer", "the data file", "the torch version"):
        assert all(work in runs[name].work for work in runs[name].answered), shown  # by this very run
    # More seeds may be asked for where the best of the scan is another one now; its grid is not trained again.
    assert {t.changes["optimizer.lr"] for t in trials(runs["the lr"], SCAN) if t.seed == 0} == {0.02}, shown
    assert all(trial.regularised for trial in trials(runs["the weight decay"], SMALL_SET)), shown


def trials(measured: Measured, step: str) -> list[Trial]:
    return [work for work in measured.work if isinstance(work, Trial) and step_of(work) == step]


def with_torch(version: str, opened: Callable[[Children], Loaded]) -> Callable[[Children], Loaded]:
    """Another torch can hardly be installed for a test: the child says that it has it."""

    def open_(children: Children) -> Loaded:
        loaded = opened(children)
        return loaded.model_copy(update={"environment": loaded.environment.model_copy(update={"torch": version})})

    return open_


def say(trained: Counter[str]) -> str:
    return ", ".join(f"{trained[step]} {step}" for step in sorted(trained)) or "nothing"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child notices a little later that it is alone")
def test_a_killed_job_goes_on_where_it_was(tmp_path: Path) -> None:
    folder, cache = write_project(tmp_path / "project"), tmp_path / "cache"
    env = environment(DIAGNOSER_CACHE=str(cache), TMPDIR=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-m", "diagnoser", "run"],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        until = time.monotonic() + 120
        while len(kept(cache)) < ENOUGH and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL
    finally:
        process.kill()
        process.communicate()
    finished = kept(cache)
    assert len(finished) >= ENOUGH

    done = diagnoser("run", cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    plan = json.loads((folder / "diagnosis" / "evidence.json").read_text(encoding="utf-8"))["run"]["plan"]
    assert plan["trials_from_cache"] >= len(finished)
    assert plan["trials_run"] > 0


def kept(cache: Path) -> list[Path]:
    return list(cache.glob("??/*.json"))
