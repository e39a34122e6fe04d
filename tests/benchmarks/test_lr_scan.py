"""The scan benchmark drives our step as the session does, and its ratios compare what they say they compare."""

import math

import pytest
import torch
from torch import Tensor, nn

from benchmarks import lr_quality, lr_scan, our_scan
from benchmarks.lr_problems import PROBLEMS, Problem
from benchmarks.lr_quality import Judged, Loss
from benchmarks.lr_times import Time
from benchmarks.rivals import lr_finders
from diagnoser.spec.reading import from_mapping
from tests.helpers import make
from tests.helpers.toy_executor import BEST_LR, ToyExecutor


def line_to_fit() -> nn.Module:
    return nn.Linear(1, 1)


def points_on_a_line() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    x = torch.linspace(-1, 1, 64).unsqueeze(1)
    return (x, 2 * x), (x, 2 * x)


LINE = Problem(
    name="a line", model=line_to_fit, data=points_on_a_line, loss="mse_loss", optimizer="sgd", batch=16, epochs=4
)


def judged(**losses: float) -> Judged:
    return Judged(
        problem="toy",
        proposals=dict.fromkeys(losses, (0.1, 0.2)),
        steps=dict.fromkeys(losses, (100, 100)),
        losses={tool: (Loss(short=end, end=end), Loss(short=end, end=4 * end)) for tool, end in losses.items()},
        grid={0.01: Loss(short=1.0, end=0.5), 0.1: Loss(short=0.5, end=0.25)},
        untrained=2.25,
    )


def test_our_scan_runs_until_its_plan_asks_for_no_more_and_counts_every_step() -> None:
    executor = ToyExecutor()
    scanned = our_scan.prepared(make.spec(), executor).scan(seed=3)
    assert scanned.read.proposal == BEST_LR
    assert scanned.steps == sum(trial.updates or 0 for trial in executor.given)
    assert {trial.seed for trial in executor.given} == {3, 4, 5}  # two further seeds where it matters


def test_a_proposal_is_held_against_the_best_lr_of_the_grid() -> None:
    one = judged(ours=0.25)
    assert one.best_lr == 0.1
    assert one.ratio("ours") == pytest.approx(2.0)  # the geometric mean of 1 and 4
    assert one.lost("ours") == pytest.approx((0.0 + 0.375) / 2)  # shares of what training can gain, 2.25 - 0.25


def test_the_mean_of_ours_is_divided_by_the_rivals() -> None:
    both = [judged(ours=0.25, rival=0.5), judged(ours=0.25, rival=0.125)]
    mine, absent = lr_scan.quality_lines(both, missing={"gone": "not installed"}, goal="<= 1")
    assert (mine.rival_name, mine.goal, mine.workload) == ("rival", "<= 1", "2 trainings x 2 seeds")
    assert mine.ratio == pytest.approx(1.0)
    assert (absent.rival_name, absent.ratio, absent.note) == ("gone", None, "not installed")


def test_a_training_that_diverges_counts_as_the_untrained_model() -> None:
    split = LINE.data()
    untrained = lr_quality.train(LINE, split, lr=0.1, epochs=0)
    assert lr_quality.train(LINE, split, lr=1e6) == untrained
    assert lr_quality.train(LINE, split, lr=0.1).end < 0.1 * untrained.end


def test_times_are_ratios_to_the_bare_loop_of_the_same_steps() -> None:
    own = Time(workload="toy", contender="ours, 2 processes", steps=1500, seconds=1.5, bare_seconds=3.0, over_bare=0.5)
    rival = Time(workload="toy", contender="fastai", steps=100, seconds=0.6, bare_seconds=0.2, over_bare=3.0)
    gone = Time(workload="toy", contender="Lightning", note="not installed")
    mine, theirs, nobody = lr_scan.time_lines([own, rival, gone])
    assert (mine.ratio, mine.goal, mine.is_met) == (0.5, "<= 1.1", True)
    assert theirs.ratio == pytest.approx(1 / 6)
    assert "1,500 steps against 100" in theirs.note  # that ours takes more steps is not hidden
    assert (nobody.rival, nobody.ratio, nobody.note) == (None, None, "not installed")


def test_a_tool_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lr_finders.PACKAGES, "fastai", "no_such_package_anywhere")
    assert lr_finders.missing("fastai") == "not installed"


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_each_training_is_a_spec_that_can_be_read_and_a_loss_that_falls(problem: Problem) -> None:
    spec, _ = from_mapping(problem.mapping(), folder=our_scan.FOLDER)
    assert spec.optimizer.lr == problem.usual_lr
    (inputs, targets), validation = problem.data()
    assert len(inputs) > 3 * len(validation[0])
    torch.manual_seed(0)
    model = problem.model()
    optimizer = problem.build_optimizer(model, lr=problem.usual_lr)
    losses = []
    for _ in range(15):
        loss = problem.loss_of(model(inputs[: problem.batch]), targets[: problem.batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]
