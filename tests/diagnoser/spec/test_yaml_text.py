import math

import pytest

from diagnoser.errors import SpecError
from diagnoser.spec.yaml_text import read_yaml


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-3", -3),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("2026-01-31", "2026-01-31"),
        ("12:30", "12:30"),
        ("'1'", "1"),
        ('"off"', "off"),
        ("!!str 1", "1"),
        (".inf", math.inf),
        ("project:Net", "project:Net"),
    ],
)
def test_a_scalar_is_read_as_yaml_1_2(written: str, value: object) -> None:
    found = read_yaml(f"key: {written}", file="f").value["key"]
    assert (found, type(found)) == (value, type(value))


def test_every_key_and_item_has_its_line() -> None:
    document = read_yaml("a: 1\nb:\n  c: {d: 2}\n  e:\n    - 3\n    - f: 4\n", file="f")
    assert document.lines == {
        ("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", "d"): 3, ("b", "e"): 4, ("b", "e", 0): 5, ("b", "e", 1): 6, ("b", "e", 1, "f"): 6,
    }  # fmt: skip


def test_anchors_and_merges_are_expanded() -> None:
    document = read_yaml("base: &base {lr: 1, name: x}\nmine: {<<: *base, lr: 2}\nlist: [*base]\n", file="f")
    assert document.value["mine"] == {"name": "x", "lr": 2}
    assert document.value["list"] == [{"lr": 1, "name": "x"}]


def test_a_key_that_stands_twice_is_told_with_both_lines() -> None:
    (problem,) = read_yaml("a:\n  lr: 1\n  b: 3\n  lr: 2\n", file="f").problems
    assert (problem.line, problem.key, problem.message) == (4, "a.lr", "this key stands twice, on lines 2 and 4")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a: b: c\n", 1, "colon is not allowed here; the line reads `a: b: c`"),
        ("a: {x: 1\nb: 2\n", 2, "`{` is not closed, or a comma is missing (it begins on line 1)"),
        ("a: [1, 2\n\n\n", 1, "`[` is not closed"),
        ('a: "x\n', 1, "a quotation mark is not closed"),
        ("a: 1\nfoo\n", 2, "without a colon; the line reads `foo`"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: *nowhere\n", 1, "`*nowhere` refers to an anchor that is not defined above"),
        ("a: &x [*x]\n", 1, "an anchor contains itself"),
        ("a: \x07\n", 1, "U+0007 is not allowed"),
        ("a: " + "[" * 2000, 1, "nested more than 100 deep"),
        ("a: @foo\n", 1, "cannot begin a value"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_yaml(text, file="diagnose.yaml")
    (problem,) = caught.value.problems
    assert problem.line == line
    assert words in problem.message


def test_anchors_that_blow_up_are_refused() -> None:
    laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True):
        laughs += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    with pytest.raises(SpecError, match="more than 10,000 values once the anchors"):
        read_yaml(laughs, file="f")


def test_tags_are_refused_and_nothing_is_built() -> None:
    document = read_yaml("a: !!python/object/apply:os.system ['echo hi']\nb: !Mine 3\n", file="f")
    assert [problem.line for problem in document.problems] == [1, 2]
    assert document.value == {"a": ["echo hi"], "b": "3"}


def test_numbers_of_absurd_length_are_a_problem_and_no_crash() -> None:
    (problem,) = read_yaml(f"a: {'9' * 5000}", file="f").problems
    assert "more digits" in problem.message
