"""The instruments benchmark divides what it says it divides, and does without a rival that is not there."""

import pytest

from benchmarks import instruments
from benchmarks.instruments import Block, Loops, Row
from benchmarks.rivals import cockpit
from benchmarks.workloads import WORKLOADS
from diagnoser.training import loop

MLP = WORKLOADS["digits mlp"]


def test_the_cost_is_the_median_of_the_ratios_of_neighbouring_blocks() -> None:
    tracked = iter([(2.0, 1.0), (30.0, 3.0), (4.0, 5.0)])
    bare = iter([(1.0, 1.0), (10.0, 1.0), (4.0, 1.0)])  # the machine was busy during the second pair

    def loops() -> Loops:
        return lambda: next(tracked), lambda: next(bare)

    row = instruments._row(MLP, "toy", 10, loops, repeats=3)
    assert row.ratio == pytest.approx(2.0)
    assert row.cpu_ratio == pytest.approx(3.0)


def test_without_cockpit_its_cells_say_so_and_ours_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cockpit, "missing", lambda: "not installed")
    monkeypatch.setattr(instruments, "ours", lambda *_: (lambda: (1.03, 1.02), lambda: (1.0, 1.0)))
    rows = instruments.measure(MLP, repeats=1, rival_repeats=1)
    assert [row.note for row in rows] == ["", *["not installed"] * 4]
    first, *others = instruments.lines(rows)
    assert first.ratio == pytest.approx(1.03)
    assert (first.goal, first.is_met) == ("<= 1.05", True)
    assert {line.rival for line in others} == {None}


def test_a_rival_that_fails_costs_its_cell_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> Loops:
        raise AttributeError("no such thing")

    monkeypatch.setattr(cockpit, "missing", lambda: None)
    monkeypatch.setattr(instruments, "cockpits", fails)
    monkeypatch.setattr(instruments, "ours", lambda *_: (lambda: (1.0, 1.0), lambda: (1.0, 1.0)))
    rows = instruments.measure(MLP, repeats=1, rival_repeats=1)
    assert {row.note for row in rows[1:]} == {"failed: AttributeError: no such thing"}


def test_our_cost_is_shown_beside_a_rivals() -> None:
    rows = [
        Row(workload="w", contender="ours", every=None, ratio=1.05),
        Row(workload="w", contender="Cockpit full", every=10, ratio=21.0),
    ]
    assert instruments.lines(rows)[1].ratio == pytest.approx(0.05)


def test_our_loops_train_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments, "UPDATES", 5)
    seen: list[bool] = []
    real = loop.run_trial

    def noting(loaded: object, trial: object) -> object:
        seen.append(trial.instruments)  # type: ignore[attr-defined]
        return real(loaded, trial)  # type: ignore[arg-type]

    monkeypatch.setattr(instruments, "run_trial", noting)
    tracked, bare = instruments.ours(MLP, MLP.read(None)[0])
    blocks: list[Block] = [tracked(), bare()]
    assert seen[-2:] == [True, False]
    assert all(wall > 0 and processor > 0 for wall, processor in blocks)
