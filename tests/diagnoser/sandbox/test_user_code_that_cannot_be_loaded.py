"""Where no model and no batch can be built, the user gets one sentence and their own traceback, never ours."""

from pathlib import Path

import pytest

from diagnoser.errors import UserCodeError
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import TrainingSpec

PROGRAMS = {
    "raises": ("raise ValueError('my own words')", "my own words", "raise ValueError"),
    "exits": ("import sys; sys.exit('enough')", "sys.exit('enough')", "sys.exit"),
    "ends the process": ("import os; os._exit(3)", "the code called os._exit(3)", "os._exit(3)"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "Segmentation fault", "ctypes.string_at(0)"),
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_module_that(kind: str, folder: Path, spec: TrainingSpec) -> None:
    program, words, line = PROGRAMS[kind]
    (folder / "project.py").write_text(program, encoding="utf-8")
    with LocalExecutor(spec, folder=folder, cache=None) as executor, pytest.raises(UserCodeError) as caught:
        executor.open()
    assert words in str(caught.value) + caught.value.remote_traceback
    assert line in caught.value.remote_traceback
    assert "serving.py" not in caught.value.remote_traceback


def test_a_module_that_never_returns(folder: Path, spec: TrainingSpec) -> None:
    (folder / "project.py").write_text("while True:\n    pass\n", encoding="utf-8")
    with (
        LocalExecutor(spec, folder=folder, cache=None, load_seconds=2.0) as executor,
        pytest.raises(UserCodeError, match="did not return within 2 s") as caught,
    ):
        executor.open()
    assert "project.py" in caught.value.remote_traceback
