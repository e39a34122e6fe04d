"""The scores of a corpus are counted as they are defined: known answers on small diagnoses that are written by hand."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fault_scores import cases, figures, repairs, results, running, tables
from benchmarks.fault_scores.results import Result
from benchmarks.fault_scores.shares import Share
from tests.helpers.scored_cases import (
    RATE,
    SAID,
    SOFTMAX,
    case,
    diagnosis,
    finding,
    read,
    treated,
)

SCORER = Path(__file__).parents[3] / "shared" / "faults" / "score.py"


def test_fifteen_healthy_programs_without_an_alarm_only_show_a_rate_below_twenty_percent() -> None:
    none = Share(hits=0, of=15)
    assert none.interval == pytest.approx((0.0, 0.2039), abs=1e-4)
    assert none.words() == "0.0 % (0-20)"
    assert Share(hits=15, of=15).words() == "100.0 % (80-100)"


def test_of_nothing_there_is_no_share() -> None:
    nothing = Share(hits=0, of=0)
    assert (nothing.value, nothing.interval, nothing.words()) == (None, None, "-")


def test_every_figure_is_what_its_definition_says(corpus: Path, kept: Path) -> None:
    found = figures.figures(read(corpus, kept))
    assert found.detection == Share(hits=3, of=5)
    assert found.category == Share(hits=1, of=5)
    assert found.any_category == Share(hits=2, of=5)
    assert found.rule == Share(hits=1, of=5)
    assert found.false_alarm == Share(hits=1, of=3), "a failed run says nothing about alarms"
    assert found.cleared == Share(hits=1, of=4), "... but a healthy program that failed was not cleared"
    assert found.repaired == Share(hits=1, of=5)
    assert found.repaired_where_possible == Share(hits=1, of=1), "advice cannot be tried"
    assert found.failures == Share(hits=2, of=9)
    assert (found.inconclusive, found.timeouts) == (2, 1)
    assert (found.median_seconds, found.p95_seconds) == (20, 600)


def test_the_remark_on_each_case(corpus: Path, kept: Path) -> None:
    assert [result.remark for result in read(corpus, kept)] == [
        "rule", "wrong", "not first", "MISSED", "timeout", "ok", "FALSE ALARM", "ok", "exit 3",
    ]  # fmt: skip


@pytest.mark.skipif(not SCORER.is_file(), reason="the public corpus with its scorer is not beside this checkout")
def test_the_figures_are_those_of_the_public_scorer(corpus: Path, kept: Path) -> None:
    spec = importlib.util.spec_from_file_location("public_score", SCORER)
    assert spec is not None
    assert spec.loader is not None
    score = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(score)
    scores = []
    for one in score.load_cases(corpus, None):
        seconds, said = SAID[one.id]
        outcome = score.Outcome(seconds, failure=said) if isinstance(said, str) else score.read_diagnosis(said, seconds)
        scores.append(score.Score(one, outcome))
    theirs = score.totals(scores)
    mine = read(corpus, kept)
    ours = figures.figures(mine)
    for name in ("detection", "category", "any_category", "rule", "false_alarm", "repaired", "cleared"):
        assert getattr(ours, name).value == theirs[name], name
    assert (ours.failures.hits, ours.timeouts, ours.inconclusive) == tuple(
        theirs[name] for name in ("failures", "timeouts", "inconclusive")
    )
    assert (ours.median_seconds, ours.p95_seconds) == (theirs["median_seconds"], theirs["p95_seconds"])
    high, medium, _ = tables.calibration(mine)
    assert (high.right.value, medium.right.value) == (theirs["high_right"], theirs["medium_right"])
    assert [one.remark for one in scores] == [result.remark for result in mine]


def test_what_another_scorer_kept_is_read_with_the_seconds_that_the_diagnosis_tells(
    corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "theirs" / "f1"
    folder.mkdir(parents=True)
    text = json.dumps(diagnosis("broken", SOFTMAX, primary="softmax-before-cross-entropy", run={"used_seconds": 42.0}))
    (folder / "diagnosis.json").write_text(text, encoding="utf-8")
    (result,) = running.read_all(cases.read(corpus), out=tmp_path / "theirs", seed=None)
    assert (result.case.id, result.seconds, result.remark) == ("f1", 42.0, "rule")


def test_a_diagnosis_that_cannot_be_read_is_a_failure(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs" / "f1"
    folder.mkdir(parents=True)
    (folder / "diagnosis.json").write_text('{"findings": []}', encoding="utf-8")
    (result,) = running.read_all(cases.read(corpus), out=tmp_path / "theirs", seed=None)
    assert result.failure == "unreadable: KeyError"
    assert not result.detected


def test_the_confusion_table_counts_truth_against_the_primary_finding(corpus: Path, kept: Path) -> None:
    cells = {(one.truth, one.said): (one.cases, one.wrong) for one in tables.confusion(read(corpus, kept))}
    assert cells == {
        ("loss", "loss"): (1, 0),
        ("data", "learning-rate"): (1, 1),
        ("labels", "learning-rate"): (1, 1),
        ("learning-rate", "(nothing)"): (1, 1),
        ("epochs", "(failed)"): (1, 1),
        ("(healthy)", "(nothing)"): (1, 0),
        ("(healthy)", "learning-rate"): (1, 1),
        ("(healthy)", "labels"): (1, 1),
        ("(healthy)", "(failed)"): (1, 1),
    }


def test_a_second_category_that_the_truth_accepts_is_confused_with_nothing() -> None:
    said = diagnosis("broken", finding("dead-relu-units", "activation", "error", "high"), primary="dead-relu-units")
    (cell,) = tables.confusion([results.of_diagnosis(case("f", "loss", "activation"), said, seconds=1.0)])
    assert (cell.truth, cell.said, cell.cases, cell.wrong) == ("loss", "activation", 1, 0)


def test_precision_and_recall_of_a_rule(corpus: Path, kept: Path) -> None:
    scores = {one.rule: one for one in tables.by_rule(read(corpus, kept))}
    rate = scores["learning-rate-too-high"]
    assert (rate.named, rate.right, rate.recalled) == (3, Share(hits=0, of=3), Share(hits=0, of=1))
    softmax = scores["softmax-before-cross-entropy"]
    assert (softmax.named, softmax.right, softmax.recalled) == (1, Share(hits=1, of=1), Share(hits=1, of=1))
    noisy = scores["noisy-labels"]
    assert (noisy.named, noisy.right, noisy.right_category) == (2, Share(hits=1, of=2), Share(hits=1, of=2))
    assert scores["inputs-not-standardised"].recalled == Share(hits=0, of=1)
    assert "does-not-learn" not in scores, "a symptom that is explained puts nothing forward"
    assert "small-validation-set" not in scores, "a hint puts nothing forward"


def test_a_rule_need_not_speak_where_another_right_one_did() -> None:
    truth = case("f", "epochs", "learning-rate", rules=["too-few-epochs", "learning-rate-too-high"])
    said = diagnosis("impaired", RATE, primary="learning-rate-too-high")
    scores = {one.rule: one for one in tables.by_rule([results.of_diagnosis(truth, said, seconds=1.0)])}
    assert scores.keys() == {"learning-rate-too-high"}


def test_calibration_counts_unexplained_errors_and_warnings(corpus: Path, kept: Path) -> None:
    high, medium, low = tables.calibration(read(corpus, kept))
    assert high.right == Share(hits=1, of=1), "the explained symptom does not count"
    assert medium.right == Share(hits=0, of=3)
    assert low.right == Share(hits=1, of=2)


def test_every_pair_of_seeds_is_compared_and_a_failed_run_agrees_with_nothing() -> None:
    one, two = case("f1", "loss"), case("f2", "loss")
    softmax = diagnosis("broken", SOFTMAX, primary="softmax-before-cross-entropy")
    rate = diagnosis("broken", RATE, primary="learning-rate-too-high")

    def seed(first: dict[str, Any], second: dict[str, Any] | None) -> list[Result]:
        lost = Result(case=two, failure="timeout")
        return [
            results.of_diagnosis(one, first, seconds=1.0),
            lost if second is None else results.of_diagnosis(two, second, seconds=1.0),
        ]

    found = tables.agreement([seed(softmax, softmax), seed(softmax, None), seed(rate, None)])
    assert found.programs == 2
    assert found.verdict == Share(hits=3, of=6), "f1 is broken under each seed; f2 has no two runs"
    assert found.primary_rule == Share(hits=1, of=6)


@pytest.mark.parametrize(
    ("result", "mended"),
    [
        (treated([0.88, 0.89, 0.90]), Share(hits=1, of=1)),
        (treated([0.86, 0.87, 0.88]), Share(hits=0, of=1)),
        (treated([0.97, 0.97, 0.97]), Share(hits=1, of=1)),
        (treated([0.97, 0.97, 0.97], effect="silent"), Share(hits=0, of=1)),  # the metric is flattered still
        (treated([0.9, 0.9, "NaN"]), Share(hits=0, of=1)),
        (treated([0.9, None, 0.9]), Share(hits=0, of=1)),
        (treated([0.9, 0.9], transforms=["reinitialise"]), Share(hits=0, of=1)),  # another fix
        (treated([0.9, 0.9], twin=None), Share(hits=0, of=0)),
        (treated([0.9, 0.9], metric="loss"), Share(hits=0, of=0)),  # a loss has no points
    ],
)
def test_a_fix_mends_when_it_comes_within_two_points_of_the_healthy_twin(result: Result, mended: Share) -> None:
    found = figures.figures([result])
    assert found.repaired == Share(hits=1, of=1)
    assert found.mended == mended


def test_what_was_not_mended_is_listed_beside_its_twin() -> None:
    short = treated([0.80, 0.82])
    missed = short.model_copy(update={"verdict": "healthy"})
    without = results.of_diagnosis(case("g", "loss"), diagnosis("broken", RATE), seconds=1.0)
    (one,) = repairs.unmended([treated([0.9, 0.9]), short, missed, without])
    assert (one.rule, one.state, one.after, one.twin) == ("softmax-before-cross-entropy", "verified", 0.81, 0.9)


def test_a_fix_that_was_left_out_is_listed_as_such() -> None:
    untested = SOFTMAX | {"fixes": [{"transforms": ["reinitialise"], "state": "untested"}]}
    (one,) = repairs.unmended([results.of_diagnosis(case("f", "loss"), diagnosis("broken", untested), seconds=1.0)])
    assert (one.state, one.after, one.twin) == ("untested", None, None)


def test_metrics_are_called_alike_on_both_sides() -> None:
    assert [cases.metric_name(name) for name in ("R2", "balanced accuracy", "accuracy")] == [
        "r2", "balanced_accuracy", "accuracy",
    ]  # fmt: skip
