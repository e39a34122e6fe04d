"""Growth is drawn as it was measured, and nothing is lost between the measurement and the picture."""

import itertools
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from benchmarks import grown, growth, plots, stack_cost
from benchmarks.plots import Panel, Series
from benchmarks.wide import wide_mlp
from benchmarks.workloads import WORKLOADS
from diagnoser.training.workload import load
from diagnoser.trials import Trial

SVG = "{http://www.w3.org/2000/svg}"


def width_row(parameters: int, *, alone: float, stacked: float) -> dict[str, Any]:
    return {
        "what": "parameters", "width": 1, "parameters": parameters, "at_once": 8,
        "bare_ms": 2 * alone, "alone_ms": alone, "stacked_ms": stacked,
    }  # fmt: skip


def searches() -> list[dict[str, Any]]:
    return [
        {
            "what": "search", "workload": name, "processes": processes, "stacking": stacking, "trials": trials,
            "updates": 150, "seconds": trials / processes / (2 if stacking else 1), "bare_seconds": 2.0 * trials,
            "how": [],
        }
        for name in ("digits mlp", "digits cnn") for processes in (1, 2) for stacking in (False, True)
        for trials in (1, 8, 32)
    ]  # fmt: skip


ROWS = [
    *searches(),
    width_row(1_000, alone=1.0, stacked=0.5),
    width_row(100_000, alone=2.0, stacked=1.0),
    width_row(1_000_000, alone=8.0, stacked=16.0),
]


def test_every_core_is_counted_and_large_machines_in_powers_of_two() -> None:
    assert growth.workers(1) == (1,)
    assert growth.workers(2) == (1, 2)
    assert growth.workers(6) == (1, 2, 3, 4, 5, 6)
    assert growth.workers(48) == (1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 48)


@pytest.mark.parametrize("wanted", growth.PARAMETERS)
def test_the_perceptron_is_as_large_as_was_asked_for(wanted: float) -> None:
    width = growth.width_for(wanted)
    assert growth.parameters_of(width) == pytest.approx(wanted, rel=0.05)
    if wanted <= 1e5:
        counted = sum(parameter.numel() for parameter in wide_mlp.build_model(width).parameters())
        assert counted == growth.parameters_of(width)


def test_stacking_stops_paying_where_a_stack_becomes_slower_than_its_trials_one_by_one() -> None:
    stops = grown.stops_paying([row for row in ROWS if row["what"] == "parameters"])
    assert stops == pytest.approx(100_000 * 10**0.5), "half way, as gains of 2 and of 1/2 are"


def test_a_single_slow_size_among_fast_ones_is_no_end() -> None:
    rows = [width_row(10**n, alone=gain, stacked=1.0) for n, gain in ((3, 2.0), (4, 0.9), (5, 1.5), (6, 0.5))]
    assert 10**5 < (grown.stops_paying(rows) or 0) < 10**6


def test_stacking_that_pays_everywhere_or_nowhere_has_no_crossing() -> None:
    assert grown.stops_paying([width_row(10**n, alone=2.0, stacked=1.0) for n in (3, 4)]) is None
    assert grown.stops_paying([width_row(10**n, alone=0.5, stacked=1.0) for n in (3, 4)]) == pytest.approx(1_000)


def test_trials_of_a_search_differ_only_in_numbers_and_are_all_different() -> None:
    trials = growth.trials_of(WORKLOADS["digits mlp"], count=32, updates=150)
    assert len({trial.model_dump_json() for trial in trials}) == 32
    assert {(trial.updates, trial.evaluations, tuple(trial.changes)) for trial in trials} == {
        (150, 1, ("optimizer.lr",))
    }
    highest = max(float(str(trial.changes["optimizer.lr"])) for trial in trials)
    assert highest < 2 * WORKLOADS["digits mlp"].lrs[0]


def test_a_row_says_how_much_faster_or_slower_than_the_bare_loop() -> None:
    lines = grown.lines(ROWS)
    fastest = next(line for line in lines if line.name == "32 trials, processes: 2, stacking on")
    assert fastest.ratio == pytest.approx(8 / 64)
    widest = next(line for line in lines if line.workload == "1,000,000 parameters")
    assert widest.ratio == pytest.approx(2.0)
    assert "pays up to 316,228 parameters" in widest.note
    assert not any(line.goal for line in lines), "growth is measured and has no goal"


def test_all_that_was_measured_is_in_the_picture() -> None:
    panels = grown.panels(ROWS)
    assert [panel.title for panel in panels] == [
        "digits mlp: trials of 150 updates",
        "digits cnn: trials of 150 updates",
        "32 trials: workers",
        "perceptrons: one update of one trial",
    ]
    assert [len(panel.series) for panel in panels] == [5, 5, 5, 3]
    speeds = {one.label: list(one.y) for one in panels[2].series}
    assert speeds["digits mlp, stacking on"] == [4.0, 8.0]
    assert speeds["in proportion"] == [1, 2]
    root = ET.fromstring(plots.draw(panels, label="growth"))
    dots = root.findall(f".//{SVG}circle")
    assert len(dots) == sum(len(one.x) for panel in panels for one in panel.series)
    words = {text.text for text in root.iter(f"{SVG}text")}
    assert {one.label for panel in panels for one in panel.series} <= words


def test_growth_in_proportion_is_a_straight_line_that_rises() -> None:
    doubled = (1.0, 2.0, 4.0, 8.0)
    panel = Panel(title="a", x_label="b", y_label="c", series=(Series(label="d", x=doubled, y=doubled),))
    root = ET.fromstring(plots.draw([panel], label="growth"))
    places = [(float(dot.get("cx", "nan")), float(dot.get("cy", "nan"))) for dot in root.iter(f"{SVG}circle")]
    steps = [(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in itertools.pairwise(places)]
    assert all(step == pytest.approx(steps[0], abs=0.2) for step in steps)
    assert steps[0][0] > 0 > steps[0][1], "upwards is a smaller y"


def test_a_picture_brings_its_own_background_for_light_and_for_dark_and_cannot_be_broken_by_a_name() -> None:
    panel = Panel(title="a < b & c", x_label="x", y_label="y", series=(Series(label="<d>", x=(1, 2), y=(1, 1)),))
    text = plots.draw([panel], label='"quoted"')
    root = ET.fromstring(text)
    page = root.find(f"{SVG}rect")
    assert page is not None
    assert (page.get("width"), page.get("height")) == (root.get("width"), root.get("height"))
    assert "prefers-color-scheme: dark" in text
    assert "a < b & c" in {word.text for word in root.iter(f"{SVG}text")}


@pytest.mark.parametrize(("value", "words"), [(0.5, "0.5"), (32, "32"), (1e3, "1k"), (3e5, "300k"), (1e7, "10M")])
def test_ticks_are_short(value: float, words: str) -> None:
    assert plots.short(value) == words


def test_the_stack_is_a_stack_and_trains_as_much_as_its_trials_alone() -> None:
    workload = load(stack_cost.spec_of(11), folder=stack_cost.WIDE)
    trials = [Trial(seed=seed, updates=20, evaluations=0) for seed in range(3)]
    together, apart = stack_cost.stacked(workload, trials), stack_cost.alone(workload, trials)
    assert [result.stacked for result in together] == [3, 3, 3]
    assert [result.stacked for result in apart] == [1, 1, 1]
    assert [result.updates for result in together] == [result.updates for result in apart] == [20, 20, 20]
    for one, other in zip(together, apart, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-4)
