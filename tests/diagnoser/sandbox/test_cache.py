"""What was measured is found again as it was; what is damaged, or another try could change, is measured again."""

import os
from pathlib import Path

import pytest

from diagnoser.evidence.preflight import LoopAudit, ProbeResult
from diagnoser.messages import Result
from diagnoser.sandbox.cache import Cache, default_folder, hash_of_file, hash_of_files, of_level
from diagnoser.trials import Outcome, TrialResult, UserError

RESULT = TrialResult(outcome=Outcome.COMPLETED, losses=(1.0, float("nan")), updates=2)
RAISED = UserError(kind="OSError", message="", traceback="")


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
        TrialResult(outcome=Outcome.USER_ERROR, error=RAISED),
        TrialResult(outcome=Outcome.COMPLETED, initial_loss=float("nan"), first_non_finite="inputs"),
        ProbeResult(outcome=Outcome.TIMED_OUT),
        ProbeResult(outcome=Outcome.COMPLETED, value=LoopAudit(has_loop=True, has_evaluate=False, error=RAISED)),
    ],
    ids=lambda result: result.model_dump_json(exclude_defaults=True),
)
def test_what_another_try_could_change_is_not_kept(result: Result, tmp_path: Path) -> None:
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


SAYS_THE_SAME = {
    "a comment": "import os  # of the system\n\nLIMIT = 3\n",
    "blank lines": "import os\n\n\n\n\nLIMIT = 3\n",
    "layout": "import os\n\nLIMIT = (\n    3\n)\n",
    "a number spelt otherwise": "import os\n\nLIMIT = 0x3\n",
}
SAYS_SOMETHING_ELSE = {
    "another value": "import os\n\nLIMIT = 4\n",
    "another type": "import os\n\nLIMIT = 3.0\n",
    "a docstring, which the code may read": '"""How far?"""\n\nimport os\n\nLIMIT = 3\n',
    "another order": "LIMIT = 3\n\nimport os\n",
    "no Python": "import os\n\nLIMIT = = 3\n",
    "too deep for a parser": "import os\n\nLIMIT = " + "(" * 3_000 + "3" + ")" * 3_000 + "\n",
}


@pytest.mark.parametrize("edit", SAYS_THE_SAME)
def test_a_file_is_known_by_what_it_says(edit: str, tmp_path: Path) -> None:
    before, after = written(tmp_path / "a.py"), written(tmp_path / "b.py", SAYS_THE_SAME[edit])
    assert hash_of_file(after) == hash_of_file(before) is not None


@pytest.mark.parametrize("edit", SAYS_SOMETHING_ELSE)
def test_a_file_that_says_something_else_is_another(edit: str, tmp_path: Path) -> None:
    before, after = written(tmp_path / "a.py"), written(tmp_path / "b.py", SAYS_SOMETHING_ELSE[edit])
    assert None is not hash_of_file(after) != hash_of_file(before)


@pytest.mark.parametrize(
    ("name", "content"),
    [("table.so", "import os\n"), ("broken.py", "import os)\n"), ("words.py", "x = '\0'\n")],
)
def test_what_is_no_python_counts_by_its_bytes(name: str, content: str, tmp_path: Path) -> None:
    before = hash_of_file(written(tmp_path / name, content))
    assert before != hash_of_file(written(tmp_path / name, content + "# a comment\n"))
    assert before == hash_of_file(written(tmp_path / name, content))


def test_the_encoding_that_a_comment_declares_is_no_comment(tmp_path: Path) -> None:
    """The same bytes are other words in another encoding."""
    files = [tmp_path / "one.py", tmp_path / "other.py"]
    for file, encoding in zip(files, ("latin-1", "cp1251"), strict=True):
        file.write_bytes(f"# -*- coding: {encoding} -*-\nWORD = '".encode() + b"\xe9'\n")
    assert hash_of_file(files[0]) != hash_of_file(files[1])


def test_a_file_that_is_gone_has_no_hash(tmp_path: Path) -> None:
    written(tmp_path / "here.py")
    assert hash_of_file(tmp_path / "gone.py") is None
    assert set(hash_of_files(tmp_path, ["here.py", "gone.py"])) == {"here.py"}


def written(file: Path, content: str = "import os\n\nLIMIT = 3\n") -> Path:
    file.write_text(content, encoding="utf-8")
    return file


def test_a_name_that_is_no_file_has_no_hash_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert [hash_of_file(Path(name)) for name in (tmp_path / "fifo", tmp_path, "/dev/zero", "no\0name")] == [None] * 4


def test_code_behind_walls_cannot_name_the_results_of_another_folder(tmp_path: Path) -> None:
    assert of_level(tmp_path, "process", Path("/a")) == tmp_path
    places = {of_level(tmp_path, level, Path(folder)) for level in ("bwrap", "landlock") for folder in ("/a", "/b")}
    assert len(places) == 4
    assert all(place.is_relative_to(tmp_path) and place != tmp_path for place in places)
