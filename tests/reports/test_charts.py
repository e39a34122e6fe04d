"""What a chart shows for the data that real runs leave behind."""

import math
import re
from typing import Any

import pytest

from reports.charts import Chart, Line, Series, draw


def _path(figure: str) -> str:
    found = re.search(r' d="([^"]*)"', figure)
    assert found is not None
    return found[1]


def _chart(y, **overrides):
    plain = {
        "title": "Loss",
        "conclusion": "It falls.",
        "x_label": "epoch",
        "y_label": "loss",
        "series": (Series(label="training", x=range(len(y)), y=y),),
    }
    values: dict[str, Any] = plain | overrides
    return Chart(**values)


def test_a_gap_in_the_data_is_a_gap_in_the_line():
    path = _path(draw(_chart((1.0, 2.0, None, math.nan, 1.0, 2.0))))
    assert path.count("M") == 2


@pytest.mark.parametrize("y", [(), (math.nan,), (None, None), (math.inf,)])
def test_nothing_to_draw_is_said_and_not_drawn(y):
    figure = draw(_chart(y))
    assert "<svg" not in figure
    assert "nothing to draw" in figure


@pytest.mark.parametrize("y", [(1.0,), (0.0, 0.0), (5e-324, 1e308), (-1.0, -1.0), (1e-12, 1e12)])
@pytest.mark.parametrize("log", [True, False])
def test_degenerate_ranges_are_drawn_with_finite_coordinates(y, log):
    figure = draw(_chart(y, log_y=log))
    assert "nan" not in figure.lower().replace("minus infinite", "")
    assert "inf" not in re.sub(r"<title>.*?</title>|aria-label=\"[^\"]*\"", "", figure)


def test_long_lines_are_thinned_and_keep_their_end():
    path = _path(draw(_chart(tuple(float(n) for n in range(10_000)))))
    assert len(re.findall("[ML]", path)) <= 402


def test_a_line_of_theory_is_drawn_and_named():
    figure = draw(_chart((2.0, 1.0), lines=(Line(label="ln 10", value=2.303),)))
    assert "ln 10 (2.303)" in figure


def test_ticks_that_lie_close_have_different_labels():
    figure = draw(_chart((2.3031, 2.3032, 2.3035)))
    labels = re.findall(r'text-anchor="end"[^>]*>([^<]*)<', figure)
    assert len(set(labels)) == len(labels) > 1


def test_the_numbers_behind_a_chart_are_in_a_table():
    assert "<td>1.25</td>" in draw(_chart((1.25, 2.5)))
