"""A result is believed once, of a piece that was asked for, and of its kind; anything else ends the child, and says why."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from diagnoser.evidence.preflight import ProbeResult
from diagnoser.messages import Done, Part, Perform, answer_file, part_file
from diagnoser.sandbox import supervisor
from diagnoser.sandbox.supervisor import Child, Ending
from diagnoser.trials import Outcome, Trial, TrialResult

RESULT = TrialResult(outcome=Outcome.COMPLETED)
REQUEST = Perform(number=2, until=time.monotonic() + 600, threads=1, work=(Trial(seed=0), Trial(seed=1), Trial(seed=2)))


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    """A child that does nothing: the test forges its answers."""
    program = tmp_path / "program.py"
    program.write_text("import sys\nfor line in sys.stdin:\n    pass\n", encoding="utf-8")
    monkeypatch.setattr(supervisor, "PROGRAM", program)
    child = Child(folder=tmp_path, out=tmp_path / "out", environment={})
    child.perform(REQUEST)
    yield child
    child.end()


def told(folder: Path, text: str, *, count: int = 0) -> Path:
    file = folder / "out" / part_file(REQUEST.number, count=count)
    file.write_text(text, encoding="utf-8")
    return file


def part(index: int, result: TrialResult | ProbeResult = RESULT) -> str:
    return Part(index=index, result=result).model_dump_json()


def test_results_are_taken_as_they_come_and_the_answer_last(child: Child, tmp_path: Path) -> None:
    assert child.look() is None
    for count, index in enumerate((2, 0)):
        file = told(tmp_path, part(index), count=count)
        seen = child.look()
        assert isinstance(seen, Part)
        assert seen.index == index
        assert not file.exists()
        assert child.look() is None
    told(tmp_path, part(1), count=2)
    (tmp_path / "out" / answer_file(REQUEST.number)).write_text(Done().model_dump_json(), encoding="utf-8")
    assert isinstance(child.look(), Part)
    assert child.look() == Done()


PROBED = ProbeResult(outcome=Outcome.COMPLETED, seconds=1.0, unsupported="none")


@pytest.mark.parametrize(
    ("text", "because"),
    [
        (part(3), "result 3, which is not missing"),
        (part(-1), "result -1, which is not missing"),
        (part(0, PROBED), "a Trial was asked for, and it holds a ProbeResult"),
        ("", "validation error"),
        ("{}", "validation error"),
        ('{"index": 0, "result": {"outcome": "completed"}, "more": 1}', "validation error"),
    ],
)
def test_refused(child: Child, tmp_path: Path, text: str, because: str) -> None:
    told(tmp_path, text)
    seen = child.look()
    assert isinstance(seen, Ending)
    assert seen.cause == "garbage"
    assert because in seen.detail


def test_a_result_that_was_told_already_is_refused(child: Child, tmp_path: Path) -> None:
    told(tmp_path, part(1))
    told(tmp_path, part(1), count=1)
    assert isinstance(child.look(), Part)
    seen = child.look()
    assert isinstance(seen, Ending)
    assert "result 1, which is not missing" in seen.detail


def test_an_answer_without_all_results_is_refused_unless_the_process_is_spent(child: Child, tmp_path: Path) -> None:
    told(tmp_path, part(1))
    answer = tmp_path / "out" / answer_file(REQUEST.number)
    answer.write_text(Done(spent=True).model_dump_json(), encoding="utf-8")
    assert isinstance(child.look(), Part)
    assert child.look() == Done(spent=True)
    answer.write_text(Done().model_dump_json(), encoding="utf-8")
    seen = child.look()
    assert isinstance(seen, Ending)
    assert "2 of its results are missing" in seen.detail


def test_more_than_any_result_could_hold_is_not_read(
    child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LARGEST_ANSWER", 100)
    told(tmp_path, part(0))
    seen = child.look()
    assert isinstance(seen, Ending)
    assert "more than 100 bytes" in seen.detail


def test_a_folder_or_a_link_in_the_place_of_a_result_is_refused(child: Child, tmp_path: Path) -> None:
    (tmp_path / "out" / part_file(REQUEST.number, count=0)).symlink_to("/dev/zero")  # reading it would never end
    seen = child.look()
    assert isinstance(seen, Ending)
    assert "it is no file" in seen.detail


def test_what_lies_there_before_it_was_asked_for_is_not_taken(child: Child, tmp_path: Path) -> None:
    later = REQUEST.model_copy(update={"number": 3})
    for count in range(2):
        (tmp_path / "out" / part_file(later.number, count=count)).write_text(part(count), encoding="utf-8")
    child.perform(later)
    assert child.look() is None
