"""The scores of a corpus are counted as they are defined: known answers on small diagnoses that are written by hand."""

import importlib.util
import json
import math
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import faults
from benchmarks.fault_scores import again, baselines, cases, figures, repairs, results, running, simple, tables
from benchmarks.fault_scores.cases import Case, CorpusError
from benchmarks.fault_scores.results import Ended, Result, Settings
from benchmarks.fault_scores.shares import Share
from diagnoser.trials import Evaluation, Outcome, Trial, TrialResult
from tests.helpers import make

PARTS: tuple[cases.Part, ...] = ("development", "held-out", "all")
SETTINGS = Settings(preset="standard", budget="2m")
HEALTHY = Path(__file__).parents[1] / "faults" / "healthy"
SCORER = Path(__file__).parents[3] / "shared" / "faults" / "score.py"


def entry(name: str, *categories: str, rules: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """What truth.json says of a case: faulty when it has categories."""
    return {
        "id": name,
        "name": name,
        "faulty": bool(categories),
        "categories": [*categories],
        "rules": [*rules],
        **more,
    }


def finding(rule: str, category: str, severity: str, confidence: str, **more: Any) -> dict[str, Any]:
    return {"id": rule, "rule": rule, "category": category, "severity": severity, "confidence": confidence, **more}


def diagnosis(verdict: str, *findings: dict[str, Any], primary: str | None = None, **more: Any) -> dict[str, Any]:
    return {"verdict": verdict, "primary": primary, "findings": [*findings], **more}


SOFTMAX = finding(
    "softmax-before-cross-entropy", "loss", "error", "high",
    fixes=[{"transforms": ["remove-final-activation"], "state": "verified"}],
)  # fmt: skip
STUCK = finding("does-not-learn", "training-loop", "error", "high", explained_by=["softmax-before-cross-entropy"])
RATE = finding("learning-rate-too-high", "learning-rate", "warning", "medium", fixes=[{"advice": "lower it"}])
ROWS = finding("noisy-labels", "labels", "warning", "low")
HINT = finding("small-validation-set", "data", "info", "high")

TRUTH = [
    entry("f1", "loss", "activation", rules=["softmax-before-cross-entropy"]),
    entry("f2", "data", rules=["inputs-not-standardised"]),
    entry("f3", "labels", rules=["noisy-labels"]),
    entry("f4", "learning-rate", rules=["learning-rate-too-high", "too-few-epochs"]),
    entry("f5", "epochs", rules=["too-few-epochs"]),
    entry("h1"), entry("h2"), entry("h3"), entry("h4"),
]  # fmt: skip
SAID: dict[str, tuple[float, dict[str, Any] | str]] = {
    "f1": (10, diagnosis("broken", SOFTMAX, STUCK, primary="softmax-before-cross-entropy")),  # rule
    "f2": (20, diagnosis("impaired", RATE, primary="learning-rate-too-high")),  # wrong
    "f3": (30, diagnosis("impaired", RATE, ROWS, primary="learning-rate-too-high")),  # not first
    "f4": (40, diagnosis("inconclusive", HINT)),  # missed
    "f5": (600, "timeout"),
    "h1": (10, diagnosis("healthy", HINT)),
    "h2": (20, diagnosis("impaired", RATE, primary="learning-rate-too-high")),
    "h3": (30, diagnosis("inconclusive", ROWS, primary="noisy-labels")),  # not sure: no false alarm
    "h4": (5, "exit 3"),
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "truth.json").write_text(json.dumps({"cases": TRUTH}), encoding="utf-8")
    for case in TRUTH:
        (folder / case["id"]).mkdir()
        (folder / case["id"] / "diagnose.yaml").write_text("name: it\n", encoding="utf-8")
    return folder


@pytest.fixture
def kept(corpus: Path, tmp_path: Path) -> Path:
    """A folder as a run leaves it."""
    out = tmp_path / "kept"
    for case, spec in cases.choose([corpus], only=None, part="all"):
        seconds, said = SAID[case.id]
        keep(out / "small" / case.id, case, spec, said, seconds=seconds)
    return out


def keep(folder: Path, case: Case, spec: Path, said: dict[str, Any] | str, *, seconds: float = 1.0) -> None:
    folder.mkdir(parents=True)
    ended = Ended(
        case=case,
        program=running.hash_of(spec.parent),
        settings=SETTINGS,
        seconds=seconds,
        failure=said if isinstance(said, str) else None,
    )
    (folder / "run.json").write_text(ended.model_dump_json(), encoding="utf-8")
    if isinstance(said, dict):
        (folder / "diagnosis.json").write_text(json.dumps(said), encoding="utf-8")


def read(corpus: Path, kept: Path) -> list[Result]:
    return list(running.read_all(cases.read(corpus), out=kept, seed=None))


def case(name: str = "f", *categories: str, **more: Any) -> Case:
    return cases.parse(entry(name, *categories, **more), corpus="small")


# --- shares ----------------------------------------------------------------------------------------------------------


def test_fifteen_healthy_programs_without_an_alarm_only_show_a_rate_below_twenty_percent() -> None:
    none = Share(hits=0, of=15)
    assert none.interval == pytest.approx((0.0, 0.2039), abs=1e-4)
    assert none.words() == "0.0 % (0-20)"
    assert Share(hits=15, of=15).words() == "100.0 % (80-100)"


def test_of_nothing_there_is_no_share() -> None:
    nothing = Share(hits=0, of=0)
    assert (nothing.value, nothing.interval, nothing.words()) == (None, None, "-")


# --- figures ---------------------------------------------------------------------------------------------------------


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


# --- tables ----------------------------------------------------------------------------------------------------------


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


# --- repairs ---------------------------------------------------------------------------------------------------------


def treated(after: list[Any], *, effect: str = "worse", twin: float | None = 0.9, **more: Any) -> Result:
    measured = {"metric": more.pop("metric", "accuracy"), "twin": None if twin is None else {"val": twin}}
    tried = {"patch": {}, "transforms": ["remove-final-activation"], "metric": "accuracy", "after": after} | more
    said = diagnosis("broken", SOFTMAX, steps={"treatments": {"seconds": 9.0, "value": {"treatments": [tried]}}})
    return results.of_diagnosis(case("f", "loss", effect=effect, measured=measured), said, seconds=1.0)


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


# --- choosing, running, printing -------------------------------------------------------------------------------------


def test_what_is_held_out_can_be_left_aside(corpus: Path) -> None:
    with_parts = [one | {"held_out": number < 2} for number, one in enumerate(TRUTH)]
    (corpus / "truth.json").write_text(json.dumps({"cases": with_parts}), encoding="utf-8")
    chosen = {part: [one.id for one, _ in cases.choose([corpus], only=None, part=part)] for part in PARTS}
    assert chosen["held-out"] == ["f1", "f2"]
    assert chosen["development"] == [one["id"] for one in TRUTH[2:]]
    assert len(chosen["all"]) == len(TRUTH)
    groups = cases.groups(cases.read(corpus))
    assert {name: len(members) for name, members in groups.items()} == {
        "small": 9, "small, development": 7, "small, held out": 2,
    }  # fmt: skip


def test_an_id_that_no_corpus_has_is_a_mistake_of_the_call(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CorpusError, match="f9"):
        cases.choose([corpus], only="f1,f9", part="all")
    assert faults.main([str(corpus), "--only", "f9", "--from", "nowhere"]) == 2
    assert "no such case: f9" in capsys.readouterr().err


def test_a_result_is_kept_for_the_same_program_and_settings_only(corpus: Path, kept: Path) -> None:
    folder, spec = kept / "small" / "f1", corpus / "f1" / "diagnose.yaml"
    assert running.is_kept(folder, spec, settings=SETTINGS)
    assert not running.is_kept(folder, spec, settings=Settings(preset="standard", budget="5m"))
    spec.write_text("name: another\n", encoding="utf-8")
    assert not running.is_kept(folder, spec, settings=SETTINGS)
    assert not running.is_kept(kept / "small" / "f9", spec, settings=SETTINGS)


def test_a_program_that_cannot_be_read_fails_with_its_exit_code_and_its_words_are_kept(
    corpus: Path, tmp_path: Path
) -> None:
    (corpus / "f1" / "diagnose.yaml").write_text("no_such_key: 1\n", encoding="utf-8")
    (chosen,) = cases.choose([corpus], only="f1", part="all")
    how: dict[str, Any] = {"settings": SETTINGS, "out": tmp_path / "out", "jobs": 1, "timeout": 120.0}
    (result,) = running.run_all([chosen], only_missing=False, **how)
    assert result.failure is not None
    assert result.failure.startswith("exit ")
    assert "no_such_key" in (tmp_path / "out" / "small" / "f1" / "console.txt").read_text(encoding="utf-8")
    (again_,) = running.run_all([chosen], only_missing=True, **how)
    assert again_ == result, "the failure is kept too, with the seconds of the first run"


def test_kept_folders_are_scored_and_printed_without_running_anything(
    corpus: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept / "small" / "f5" / "run.json").unlink()
    (kept / "small" / "f5").rmdir()
    assert faults.main([str(corpus), "--from", str(kept)]) == 0
    printed = capsys.readouterr().out
    assert "75.0 % (30-95) of 4" in printed
    assert "33.3 % (6-79) of 3" in printed
    assert "1 of 9 cases were not run and are left out" in printed


def test_the_first_seed_is_scored_and_the_others_are_compared_with_it(
    corpus: Path, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (3, 4):
        shutil.copytree(kept, tmp_path / "seeds" / f"seed-{seed}")
    changed = tmp_path / "seeds" / "seed-4" / "small" / "f1" / "diagnosis.json"
    changed.write_text(json.dumps(diagnosis("healthy")), encoding="utf-8")
    assert faults.main([str(corpus), "--from", str(tmp_path / "seeds"), "--seeds", "3,4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["figures"]["small"]["detection"]["hits"] == 3
    assert (found["seeds"]["programs"], found["seeds"]["verdict"]["hits"], found["seeds"]["verdict"]["of"]) == (9, 6, 9)
    assert faults.main([str(corpus), "--from", str(tmp_path / "seeds"), "--seeds", "3,4"]) == 0
    assert "pairs of seeds of 9 programs" in capsys.readouterr().out


def test_the_json_has_every_table(corpus: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert faults.main([str(corpus), "--from", str(kept), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    detection = found["figures"]["small"]["detection"]
    assert (detection["hits"], detection["of"], detection["share"]) == (3, 5, 0.6)
    assert [len(found[name]) for name in ("rows", "confusion", "rules", "calibration")] == [9, 9, 5, 3]


def test_kept_evidence_can_be_judged_by_the_present_rules(corpus: Path, kept: Path) -> None:
    one_value = make.target_profile(distinct=1, mean=0, std=0)
    broken = make.evidence(data=make.data_profile(targets=one_value))
    for name, evidence in {"h1": make.evidence(), "h2": broken}.items():
        (kept / "small" / name / "evidence.json").write_text(evidence.model_dump_json(), encoding="utf-8")
    found = {one.case.id: one for one in again.judge_all(cases.read(corpus), out=kept, seed=None)}
    assert (found["h1"].verdict, found["h1"].seconds) == ("healthy", 10)
    assert (found["h2"].verdict, found["h2"].primary_rule) == ("broken", "targets-constant")
    assert found["f1"].failure == "unreadable: FileNotFoundError"
    assert found["f5"].failure == "timeout"


# --- simpler ways ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observed", "memorised", "alarms"),
    [
        ((2.3, 2.2, 2.4), True, False),
        ((2.9, 2.9, 2.9), True, True),  # 26 % too high
        ((1.7, 1.7, 1.7), True, True),  # 26 % too low
        ((2.3, math.nan, 2.3), True, True),
        ((2.3, 2.3, 2.3), False, True),
        ((2.3, 2.3, 2.3), None, False),  # could not be asked
    ],
)
def test_two_checks_alarm_when_the_first_loss_is_off_or_the_samples_are_not_memorised(
    observed: tuple[float, ...], memorised: bool | None, alarms: bool
) -> None:
    steps = make.steps(initial_loss=make.initial_loss(observed=observed, chance=2.3))
    ratio = simple.initial_loss_ratio(steps)
    assert simple.Simple(initial_loss_ratio=ratio, memorised=memorised).alarms is alarms


@pytest.mark.parametrize(
    ("task", "classes", "per_class"), [("classification", 10, 2), ("binary", 1, 8), ("regression", 1, 2)]
)
def test_sixteen_samples_are_a_few_of_each_class(task: str, classes: int, per_class: int) -> None:
    steps = make.steps(assumptions=make.assumptions(task=task, classes=classes))
    trial = simple.small_trial(make.spec(), steps)
    assert (trial.rows.per_class, trial.updates) == (per_class, simple.UPDATES)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (TrialResult(outcome=Outcome.COMPLETED, stopped_by="memorised"), True),
        (TrialResult(outcome=Outcome.COMPLETED, stopped_by="length"), False),
        (TrialResult(outcome=Outcome.DIVERGED, stopped_by="diverged"), False),
        (TrialResult(outcome=Outcome.COMPLETED, stopped_by="time"), None),
        (TrialResult(outcome=Outcome.USER_ERROR, stopped_by="error"), None),
    ],
)
def test_only_a_run_that_came_to_its_end_tells_whether_it_memorised(result: TrialResult, said: bool | None) -> None:
    assert simple.memorised(result) is said


def searched(metric: float | None, **result: Any) -> TrialResult:
    end = Evaluation(
        updates=9, epoch=1.0, lr=0.1, train_loss=None, train_metric=None, validation_loss=1.0, validation_metric=metric
    )
    return TrialResult(**{"outcome": Outcome.COMPLETED, "evaluations": (end,)} | result)


def test_the_best_of_a_random_search_is_the_best_that_came_to_its_end() -> None:
    ends = [0.5, 0.7, math.nan, None]
    done = tuple((Trial(seed=number), searched(end)) for number, end in enumerate(ends))
    cut = ((Trial(seed=9), searched(0.9, stopped_by="time")), (Trial(seed=8), TrialResult(outcome=Outcome.TIMED_OUT)))
    best = simple.best(done + cut, higher_is_better=True)
    assert best is not None
    assert best.seed == 1
    lowest = simple.best(done, higher_is_better=False)
    assert lowest is not None
    assert lowest.seed == 0
    assert simple.best(cut, higher_is_better=True) is None


def test_ours_and_simpler_ways_are_counted_on_the_same_cases() -> None:
    repair = simple.Repair(tried=8, changes={"optimizer.lr": 0.1}, state="verified", metric="accuracy", after=0.89)
    mended = simple.Simple(initial_loss_ratio=1.5, memorised=True, repair=repair)
    worse = mended.model_copy(update={"memorised": False, "repair": repair.model_copy(update={"after": 0.5})})
    quiet = simple.Simple(initial_loss_ratio=1.0, memorised=True)
    healthy = results.of_diagnosis(case("h"), diagnosis("healthy"), seconds=1.0)
    asked = [(treated([0.9, 0.9]), mended), (treated([0.5, 0.5]), worse), (healthy, quiet), (healthy, worse)]
    ours, checks, search = baselines.ways(asked)
    assert (ours.detection, ours.false_alarm) == (Share(hits=2, of=2), Share(hits=0, of=2))
    assert (ours.repaired, ours.mended) == (Share(hits=2, of=2), Share(hits=1, of=2))
    assert (checks.detection, checks.false_alarm) == (Share(hits=2, of=2), Share(hits=1, of=2))
    assert (search.repaired, search.mended) == (Share(hits=2, of=2), Share(hits=1, of=2))
    assert (checks.repaired.of, search.detection.of) == (0, 0), "neither claims what it does not do"


def test_random_search_gets_the_seconds_of_our_treatments_or_those_in_the_middle() -> None:
    some = [treated([0.9]).model_copy(update={"treatment_seconds": seconds}) for seconds in (10.0, None, 30.0, 14.0)]
    assert baselines.usual_seconds(some) == 14.0
    assert baselines.usual_seconds(some[1:2]) == baselines.USUAL_SECONDS


def test_what_simpler_ways_said_stays_as_long_as_the_program_is_the_same(corpus: Path, tmp_path: Path) -> None:
    spec = corpus / "f1" / "diagnose.yaml"
    spec.write_text("no_such_key: 1\n", encoding="utf-8")
    folder = tmp_path / "out" / "f1"

    def run() -> None:
        running.run(case("f1", "loss"), spec, settings=SETTINGS, folder=folder, timeout=120.0)

    run()
    (folder / running.SIMPLER).write_text("{}", encoding="utf-8")
    run()
    assert (folder / running.SIMPLER).is_file()
    spec.write_text("another_key: 1\n", encoding="utf-8")
    run()
    assert not (folder / running.SIMPLER).is_file()


@pytest.mark.slow
def test_a_real_program_is_diagnosed_kept_and_given_to_simpler_ways(tmp_path: Path) -> None:
    corpus = tmp_path / "one"
    shutil.copytree(HEALTHY / "wine-mlp", corpus / "f1", ignore=shutil.ignore_patterns("__pycache__"))
    # What is true of it does not matter here: random search is asked about programs that are called faulty.
    (corpus / "truth.json").write_text(json.dumps({"cases": [entry("f1", "data")]}), encoding="utf-8")
    chosen = cases.choose([corpus], only=None, part="all")
    settings = Settings(preset="quick", budget="30s", seed=1)
    (result,) = running.run_all(
        chosen, settings=settings, out=tmp_path / "out", jobs=1, timeout=300.0, only_missing=False
    )
    folder = tmp_path / "out" / "seed-1" / "one" / "f1"
    assert result.failure is None, (folder / "console.txt").read_text(encoding="utf-8")
    assert json.loads((folder / "diagnosis.json").read_text(encoding="utf-8"))["spec"]["seed"] == 1
    baselines.ask([result], {("one", "f1"): chosen[0][1]}, {("one", "f1"): folder})
    said = simple.Simple.model_validate_json((folder / running.SIMPLER).read_text(encoding="utf-8"))
    assert said.memorised is not None
    assert said.initial_loss_ratio == pytest.approx(1.0, abs=0.5)
    assert said.repair is not None
    assert said.repair.tried >= simple.AT_ONCE
    assert said.repair.changes.keys() == {"optimizer.lr", "optimizer.weight_decay"}
    assert said.repair.state in {"verified", "refuted", "inconclusive"}
