"""How numbers read."""

import math

import pytest

from reports.numbers import number, numbers, percent, plural, seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (1000.0, "1000"), (123456.0, "123456"), (1234567.0, "1.235e6"), (2.302585, "2.303"), (1e-5, "1e-5"),
        (math.nan, "NaN"), (math.inf, "infinite"), (-math.inf, "minus infinite"), (None, "not measured"), (0.1, "0.1"),
    ],
)  # fmt: skip
def test_a_number_reads_as_a_person_would_write_it(value, text):
    assert number(value) == text


def test_long_lists_are_counted():
    assert numbers((1.0,) * 10, at_most=2) == "1, 1 and 8 more"


def test_units():
    assert (percent(0.125), seconds(3.0), seconds(600), plural(1, "hint"), plural(2, "hint")) == (
        "12.5 %", "3.0 s", "10.0 min", "1 hint", "2 hints",
    )  # fmt: skip
