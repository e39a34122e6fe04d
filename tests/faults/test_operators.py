"""Does each operator do what it says to its program, and is the truth about it one that can be told? Nothing trains."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from diagnoser.findings import Category
from diagnoser.spec.reading import parse_spec
from rules.registry import find
from tests.faults import mutation, programs
from tests.faults.faults import FAULTS
from tests.faults.mutation import Fault, MutationError, Operator
from tests.faults.programs import Program

EVERY_FAULT = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.key)
TOY = Program(name="toy", spec={"loss": "mse_loss", "optimizer": {"lr": 0.1}}, sources={"project.py": "a = 1\nb = 1\n"})


@EVERY_FAULT
def test_the_faulty_program_is_a_program(fault: Fault, tmp_path: Path) -> None:
    program = fault.program_with_fault()
    for name, text in program.sources.items():
        compile(text, name, "exec")
    programs.write(program, tmp_path)
    spec, _ = parse_spec((tmp_path / programs.SPEC).read_text(encoding="utf-8"), folder=tmp_path)
    assert spec.name == programs.read(fault.program).spec["name"]


@EVERY_FAULT
def test_the_faulty_program_does_something_else_than_the_healthy_one(fault: Fault) -> None:
    healthy, faulty = programs.read(fault.program), fault.program_with_fault()
    same_code = all(
        ast.dump(ast.parse(healthy.sources[n])) == ast.dump(ast.parse(faulty.sources[n])) for n in healthy.sources
    )
    assert not (same_code and healthy.spec == faulty.spec)


@EVERY_FAULT
def test_the_truth_names_rules_that_there_are_and_accepts_their_categories(fault: Fault) -> None:
    assert fault.categories
    assert set(fault.categories) <= set(get_args(Category))
    assert fault.rules
    for name in fault.rules:
        rule = find(name)
        assert rule is not None, name
        assert rule.category in fault.categories, name


@EVERY_FAULT
def test_a_fault_that_the_metric_does_not_show_says_why_it_is_one(fault: Fault) -> None:
    assert (fault.effect in {"silent", "hint"}) == bool(fault.note)
    assert fault.source


def test_a_hint_is_no_fault_and_says_why_it_is_worth_a_line() -> None:
    operator = Operator(name="x", categories=("performance",), rules=("excessive-padding",), source="s", hint="why")
    hint = operator.on("iris-mlp")
    assert (hint.faulty, hint.effect, hint.note) == (False, "hint", "why")


def test_no_fault_is_there_twice() -> None:
    keys = [fault.key for fault in FAULTS]
    assert len(set(keys)) == len(keys)


def test_a_piece_of_source_is_exchanged_where_it_stands_once() -> None:
    assert mutation.source("a = 1", "a = 2")(TOY).sources["project.py"] == "a = 2\nb = 1\n"


@pytest.mark.parametrize("old", ["= 1", "c = 1"])
def test_a_piece_of_source_that_stands_twice_or_nowhere_is_an_error(old: str) -> None:
    with pytest.raises(MutationError, match="not once"):
        mutation.source(old, "")(TOY)


def test_a_key_of_the_spec_is_set_and_its_neighbours_stay() -> None:
    changed = mutation.spec(optimizer__weight_decay=0.5, epochs=3)(TOY).spec
    assert changed == {"loss": "mse_loss", "optimizer": {"lr": 0.1, "weight_decay": 0.5}, "epochs": 3}


def test_a_spec_that_says_so_already_is_an_error() -> None:
    with pytest.raises(MutationError, match="already"):
        mutation.spec(loss="mse_loss")(TOY)


def test_a_rate_is_multiplied_and_the_healthy_program_stays_as_it_was() -> None:
    assert mutation.times(300)(TOY).spec["optimizer"]["lr"] == pytest.approx(30)
    assert TOY.spec["optimizer"]["lr"] == pytest.approx(0.1)


def test_what_an_operator_says_holds_for_each_program_unless_that_program_says_otherwise() -> None:
    operator = Operator(name="x", categories=("data",), rules=("inputs-non-finite",), source="s", silent="why")
    plain = operator.on("iris-mlp", also=(("numerical", "non-finite-loss"),))
    assert (plain.effect, plain.note) == ("silent", "why")
    assert plain.categories == ("data", "numerical")
    assert plain.rules == ("inputs-non-finite", "non-finite-loss")
    shown = operator.on("iris-mlp", worse=True)
    assert (shown.effect, shown.note) == ("worse", None)
