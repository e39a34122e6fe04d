"""Behind bubblewrap user code measures what it measures without walls, sees what it was let see, and leaves nobody."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from diagnoser.errors import UserCodeError
from diagnoser.messages import Result
from diagnoser.sandbox import tree
from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.limits import Machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import Data, Factory, Loss, TrainingSpec
from diagnoser.trials import Outcome, Trial, TrialResult

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the levels with walls are Linux's")
ROOT = Path(__file__).parents[3]
SECONDS = 600.0  # nothing rests on how long anything takes
ONE_THREAD = Machine(cores=1, memory=None)

PROJECT = """
import os
import time
from pathlib import Path
import torch

HERE = Path(__file__).parent
if os.environ.get("REFUSE"):
    (HERE / "beside.txt").write_text("!")


class Net(torch.nn.Module):
    def __init__(self, does):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)
        self.does = does

    def forward(self, x):
        if self.does == "write":
            (HERE / "weights.pt").write_text("!")
        if self.does == "read":
            open(SECRET).read()
        if self.does == "crash":
            import ctypes
            ctypes.string_at(0)
        if self.does == "wait":
            print("pid", os.getpid(), flush=True)
            (Path(os.environ["TMPDIR"]) / "waits").touch()
            time.sleep(1000)
        return self.linear(x)


def build_model(does="nothing"):
    return Net(does)


def build_data():
    rows = torch.utils.data.TensorDataset(x := torch.randn(64, 2), x.sum(1, keepdim=True))
    return rows, rows
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    if shutil.which("bwrap") is None:
        pytest.fail("bubblewrap is missing: `apt-get install bubblewrap`")
    folder = tmp_path / "project"
    folder.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    (folder / "project.py").write_text(PROJECT.replace("SECRET", repr(str(secret))), encoding="utf-8")
    return folder


def spec(*, workers: int = 0, environment: tuple[str, ...] = ()) -> TrainingSpec:
    return TrainingSpec(
        name="walls",
        model=Factory(factory="project:build_model"),
        data=Data(factory="project:build_data", workers=workers),
        loss=Loss(name="mse_loss"),
        device="cpu",
        environment=environment,
    )


def measure(folder: Path, *does: str, level: Level, workers: int = 0) -> tuple[Result, ...]:
    work = [Trial(seed=0, updates=3, evaluations=1, changes={"model.args.does": one}) for one in does]
    with LocalExecutor(
        spec(workers=workers), folder=folder, cache=None, processes=1, machine=ONE_THREAD, level=level,
        load_seconds=SECONDS,
    ) as executor:  # fmt: skip
        executor.open()
        return executor.run(work, deadline=time.monotonic() + SECONDS, on_result=lambda index, result: None)


def numbers(result: Result) -> str:
    assert isinstance(result, TrialResult)
    assert result.outcome is Outcome.COMPLETED, result.error
    return result.model_dump_json(exclude={"seconds", "peak_memory_mb"})


def test_the_numbers_are_those_without_walls_and_misdeeds_are_results(code: Path) -> None:
    (bare,) = measure(code, "nothing", level="process")
    walled, writes, reads, crashes = measure(code, "nothing", "write", "read", "crash", level="bwrap")
    assert numbers(walled) == numbers(bare)
    for result, words in ((writes, "os.environ['TMPDIR']"), (reads, "`data.paths`")):
        assert result.outcome is Outcome.USER_ERROR
        assert result.error is not None
        assert words in result.error.message
    assert not (code / "weights.pt").exists()
    assert crashes.error is not None
    assert crashes.error.kind == "Segmentation fault"
    assert "ctypes.string_at(0)" in crashes.error.traceback  # a line of the user's own file is shown


@pytest.mark.slow
def test_a_loader_with_workers_works(code: Path) -> None:
    (bare,), (walled,) = (measure(code, "nothing", level=level, workers=2) for level in ("process", "bwrap"))
    assert numbers(walled) == numbers(bare)


def test_code_that_writes_beside_itself_when_it_is_imported_is_told_where_it_may(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFUSE", "1")
    with (
        LocalExecutor(
            spec(environment=("REFUSE",)), folder=code, cache=None, processes=1, level="bwrap", load_seconds=SECONDS
        ) as executor,
        pytest.raises(UserCodeError, match="your code may write only to the folder") as error,
    ):
        executor.open()
    assert "Read-only file system" in str(error.value)


SUPERVISOR = """
import sys, time
from pathlib import Path
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Trial

spec = TrainingSpec.model_validate_json(sys.argv[1])
work = [Trial(seed=0, updates=1, evaluations=0, changes={"model.args.does": "wait"})]
with LocalExecutor(
    spec, folder=Path(sys.argv[2]), cache=None, processes=1, level="bwrap", load_seconds=600.0
) as executor:
    executor.open()
    print("ready", flush=True)
    executor.run(work, deadline=time.monotonic() + 600, on_result=lambda index, result: None)
"""


def until(happened: Callable[[], bool]) -> bool:
    end = time.monotonic() + SECONDS
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_when_the_supervisor_is_killed_nobody_is_left(code: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, spec().model_dump_json(), str(code)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(code.parent)},
        stdout=subprocess.PIPE,
    )
    try:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"ready\n"
        family = tree.descendants(supervisor.pid, most=100)
        assert len(family) >= 3  # bubblewrap, its first process, Python
        supervisor.send_signal(signal.SIGKILL)
        assert until(lambda: not any(Path(f"/proc/{number}").exists() for number in family))
    finally:
        supervisor.kill()
        supervisor.wait()
        if supervisor.stdout is not None:
            supervisor.stdout.close()
