"""The supervisor hears of a result at once, and without a bell a little later."""

import os
from pathlib import Path

from diagnoser.messages import BELL_FILE
from diagnoser.sandbox import bell
from diagnoser.sandbox.bell import Bell


def ring(path: Path) -> None:
    end = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.write(end, b"!")
    os.close(end)


def test_a_ring_is_heard_once(tmp_path: Path) -> None:
    first, second = Bell(tmp_path / "first"), Bell(tmp_path / "second")
    assert not bell.wait([first, second])
    ring(tmp_path / "second")
    ring(tmp_path / "second")
    assert bell.wait([first, second])
    assert not bell.wait([first, second])
    for one in (first, second):
        one.close()


def test_a_closed_bell_is_silent(tmp_path: Path) -> None:
    closed = Bell(tmp_path / BELL_FILE)
    closed.close()
    closed.close()
    assert not bell.wait([closed])


def test_where_there_can_be_no_bell_one_only_waits(tmp_path: Path) -> None:
    assert not bell.wait([Bell(tmp_path / "no such folder" / BELL_FILE)])
