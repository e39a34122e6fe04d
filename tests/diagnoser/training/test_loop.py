"""Is a trial trained as it says, and does its result tell what happened?"""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diagnoser.spec.fields import EarlyStopping, Ema, Optimizer, ParameterGroup, Scheduler
from diagnoser.trials import Outcome, Rows, Transform
from tests.helpers.training import Zeros, classes, loaded, net, numbers, ran, two


def test_logits_of_zero_cost_ln_c() -> None:
    workload = loaded(lambda: Zeros(7), two(count=3), loss="cross_entropy")
    result = ran(workload, updates=0, evaluations=0)
    assert result.initial_loss == pytest.approx(math.log(7), rel=1e-6)
    assert result.initial_outputs_std == 0


def test_a_parabola_follows_the_closed_form() -> None:
    class Point(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([[2.0]]))

        def forward(self, x: Tensor) -> Any:
            return x @ self.w

    x = torch.ones(8, 1)
    data = ((x, torch.zeros(8, 1)), (x, torch.zeros(8, 1)))
    workload = loaded(Point, data, loss="mse_loss", task="regression", batch_size=8)
    result = ran(workload, updates=5, evaluations=0)
    assert result.losses == pytest.approx([4 * 0.8 ** (2 * k) for k in range(5)], rel=1e-5)  # w <- w - 0.1 * 2 w


def test_the_same_trial_twice_gives_the_same_bits() -> None:
    workload = loaded(lambda: nn.Sequential(net(), nn.Dropout(0.1)), two(), loss="cross_entropy")
    first, second = (ran(workload, updates=30, instruments=True) for _ in range(2))
    assert first.losses == second.losses
    assert first.evaluations == second.evaluations
    assert first.layers == second.layers
    assert first.gradient_norms == second.gradient_norms
    assert ran(workload, seed=1, updates=30).losses != first.losses


def test_what_is_recorded_does_not_change_the_run() -> None:
    workload = loaded(lambda: nn.Sequential(net(), nn.Dropout(0.1)), two(), loss="cross_entropy")
    bare = ran(workload, updates=40, evaluations=0)
    watched = ran(workload, updates=40, evaluations=7, instruments=True)
    assert watched.losses == bare.losses
    assert [e.updates for e in watched.evaluations] == [6, 11, 17, 23, 29, 34, 40]


def test_our_loop_equals_one_written_by_hand() -> None:
    x, y = classes(64)
    workload = loaded(net, ((x, y), (x, y)), loss="cross_entropy", batch_size=16, shuffle=False,
                      optimizer=Optimizer(name="adamw", lr=0.01, weight_decay=0.1), gradient_clip_norm=0.5)  # fmt: skip
    model = workload.build_model(seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    losses = []
    for i in [0, 1, 2, 3] * 3:
        loss = nn.functional.cross_entropy(model(x[16 * i : 16 * i + 16]), y[16 * i : 16 * i + 16])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert ran(workload, updates=12).losses == pytest.approx(losses, rel=1e-5)


def test_accumulated_batches_equal_one_large_batch() -> None:
    x, y = classes(64)
    data = ((x, y), (x, y))
    small = loaded(net, data, loss="cross_entropy", batch_size=16, shuffle=False, accumulate_batches=4)
    large = loaded(net, data, loss="cross_entropy", batch_size=64, shuffle=False)
    assert small.updates_per_epoch == large.updates_per_epoch == 1
    a, b = ran(small, updates=6), ran(large, updates=6)
    assert len(a.losses) == 24
    assert a.final_loss == pytest.approx(b.final_loss, rel=1e-4)


def test_unregularised_means_no_dropout_and_no_weight_decay() -> None:
    class Attentive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)
            self.lstm = nn.LSTM(4, 4, num_layers=2, dropout=0.5, batch_first=True)
            self.drop = nn.Dropout(0.5)
            self.head = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Any:
            x = x[:, None].expand(-1, 3, -1)
            x = self.attention(x, x, x)[0]
            return self.head(self.drop(self.lstm(x)[0][:, -1]))

    workload = loaded(Attentive, two(), loss="cross_entropy", batch_size=64,
                      optimizer=Optimizer(name="sgd", lr=1e-9, weight_decay=0.5))  # fmt: skip
    still = ran(workload, updates=5, regularised=False)
    assert still.losses == pytest.approx([still.initial_loss] * 5, rel=1e-5)
    assert ran(workload, updates=5).losses != pytest.approx([still.initial_loss] * 5, rel=1e-3)


def test_unregularised_means_no_dropout_in_functions_either() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Any:
            x = x[:, None, None].expand(-1, 2, 3, -1)
            x = F.scaled_dot_product_attention(x, x, x, None, 0.5)
            x = F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)
            x = F.dropout2d(x, 0.5, training=self.training)
            return self.head(F.dropout(x, 0.5)[:, 0, -1])

    before = F.dropout, F.scaled_dot_product_attention
    workload = loaded(Functional, two(), loss="cross_entropy", batch_size=64, optimizer=Optimizer(name="sgd", lr=1e-9))
    still = ran(workload, updates=5, regularised=False)
    assert still.losses == pytest.approx([still.initial_loss] * 5, rel=1e-5)
    assert ran(workload, updates=5).losses != pytest.approx([still.initial_loss] * 5, rel=1e-3)
    assert (F.dropout, F.scaled_dot_product_attention) == before


def test_a_penalty_shrinks_the_weights() -> None:
    workload = loaded(net, two(), loss="cross_entropy", optimizer=Optimizer(name="sgd", lr=0.1))
    plain, shrunk = (ran(workload, updates=1, penalty=p, evaluations=0) for p in (0.0, 1.0))
    assert plain.weight_norm_start == shrunk.weight_norm_start
    assert shrunk.weight_norm_end is not None
    assert plain.weight_norm_end is not None
    assert shrunk.weight_norm_end < 0.95 * plain.weight_norm_end


def test_a_loss_that_explodes_is_divergence_and_no_error() -> None:
    workload = loaded(lambda: nn.Linear(4, 1), two(numbers), loss="mse_loss", optimizer=Optimizer(name="sgd", lr=3.0))
    result = ran(workload, updates=500)
    assert (result.outcome, result.stopped_by) == (Outcome.DIVERGED, "diverged")
    assert result.updates < 100


@pytest.mark.parametrize(("where", "told"), [("inputs", "inputs"), ("targets", "targets")])
def test_nan_in_the_data_is_named(where: str, told: str) -> None:
    x, y = numbers(64)
    (x if where == "inputs" else y)[5] = torch.nan
    workload = loaded(lambda: nn.Linear(4, 1), ((x, y), numbers(32)), loss="mse_loss")
    result = ran(workload, updates=20)
    assert result.outcome is Outcome.DIVERGED
    assert result.first_non_finite == told


def test_the_layer_that_makes_the_first_nan_is_named() -> None:
    class Logarithm(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return x.log()

    workload = loaded(lambda: nn.Sequential(nn.Linear(4, 8), Logarithm(), nn.Linear(8, 3)), two(), loss="cross_entropy")
    assert ran(workload, updates=5).first_non_finite == "output of layer 1"


def test_a_gradient_that_is_the_first_nan_is_named() -> None:
    def step(model: nn.Module, batch: Any) -> Tensor:
        return (model(batch[0]).sum() * 0).sqrt()  # 0, with a slope of 0 * infinity

    workload = loaded(lambda: nn.Linear(4, 3), two(), step_fn=step)
    assert ran(workload, updates=5).first_non_finite == "gradient of weight"


class Failing(nn.Module):
    """Fails as it is told in its third forward pass in training."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.error = error
        self.calls = 0

    def forward(self, x: Tensor) -> Any:
        if self.training:
            self.calls += 1
            if self.calls > 2:
                raise self.error
        return self.linear(x)


@pytest.mark.parametrize(
    ("error", "outcome", "kind"),
    [
        (ValueError("no more"), Outcome.USER_ERROR, "ValueError"),
        (SystemExit(3), Outcome.USER_ERROR, "SystemExit"),
        (MemoryError(), Outcome.OUT_OF_MEMORY, "MemoryError"),
        (torch.OutOfMemoryError("CUDA out of memory"), Outcome.OUT_OF_MEMORY, "OutOfMemoryError"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), Outcome.OUT_OF_MEMORY, "RuntimeError"),
    ],
)
def test_what_the_user_raises_is_a_result(error: BaseException, outcome: Outcome, kind: str) -> None:
    result = ran(loaded(lambda: Failing(error), two(), loss="cross_entropy"), updates=10)
    assert result.outcome is outcome
    assert result.error is not None
    assert result.error.kind == kind
    assert "raise self.error" in result.error.traceback
    assert "diagnoser/training" not in result.error.traceback.replace("tests/diagnoser/training", "")
    assert len(result.losses) <= 3


def test_a_model_without_parameters_is_told_so() -> None:
    result = ran(loaded(nn.Identity, two(count=4, features=4), loss="cross_entropy"), updates=3)
    assert result.outcome is Outcome.USER_ERROR
    assert result.error is not None
    assert "no parameters" in result.error.message


def test_time_is_a_reason_to_stop() -> None:
    result = ran(loaded(net, two(), loss="cross_entropy"), updates=1_000_000, max_seconds=0.05)
    assert (result.outcome, result.stopped_by) == (Outcome.COMPLETED, "time")
    assert 0 < result.updates < 1_000_000


def test_progress_is_reported_in_updates() -> None:
    from diagnoser.training.loop import run_trial
    from diagnoser.trials import Trial

    seen: list[int] = []
    run_trial(
        loaded(net, two(), loss="cross_entropy"), Trial(seed=0, updates=10**6, max_seconds=1.3), report=seen.append
    )
    assert seen
    assert seen == sorted(seen)


def test_long_curves_are_thinned() -> None:
    workload = loaded(lambda: nn.Linear(4, 3), two(), loss="cross_entropy", batch_size=32)
    result = ran(workload, updates=4_100, evaluations=0, instruments=True)
    assert (result.stride, len(result.losses)) == (3, 1367)
    assert (result.gradient_norm_every, len(result.gradient_norms)) == (10, 410)


def test_evaluation_leaves_modes_and_statistics_alone() -> None:
    def model() -> nn.Module:
        made = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.BatchNorm1d(8), nn.Linear(8, 3))
        made[2].eval()  # frozen on purpose
        return made

    workload = loaded(model, two(), loss="cross_entropy")
    often = ran(workload, updates=20, evaluations=20, scheduled=True)
    once = ran(workload, updates=20, evaluations=1, scheduled=True)
    assert often.losses == once.losses
    assert often.eval_mode_loss is not None
    assert often.eval_mode_loss == once.eval_mode_loss


def test_batch_norm_is_measured_in_three_ways() -> None:
    def model() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, momentum=1e-4), nn.Linear(8, 3))

    x, y = classes(256)
    workload = loaded(model, ((x + 50, y), (x + 50, y)), loss="cross_entropy")
    result = ran(workload, updates=60, scheduled=True)
    assert result.train_mode_loss is not None
    assert result.eval_mode_loss is not None
    assert result.recalibrated_loss is not None
    assert result.eval_mode_loss > 2 * result.train_mode_loss  # running statistics never arrived
    assert result.recalibrated_loss == pytest.approx(result.train_mode_loss, rel=0.2)
    assert ran(loaded(net, two(), loss="cross_entropy"), updates=3, scheduled=True).eval_mode_loss is None


def test_recalls_and_confusion_add_up() -> None:
    workload = loaded(net, two(), loss="cross_entropy", optimizer=Optimizer(name="adam", lr=0.02))
    result = ran(workload, updates=100, scheduled=True)
    assert sum(result.prediction_counts) == 32
    assert sum(map(sum, result.confusion)) == 32
    right = sum(row[i] for i, row in enumerate(result.confusion))
    assert result.evaluations[-1].validation_metric == pytest.approx(right / 32)
    assert result.recalls[0] == pytest.approx(result.confusion[0][0] / sum(result.confusion[0]))


def test_noise_of_the_evaluation_is_the_spread_over_random_states() -> None:
    def noisy(model: nn.Module, batch: Any) -> Tensor:
        return (model(batch[0]) + torch.randn(())).square().mean()

    assert (ran(loaded(net, two(), step_fn=noisy), updates=2, scheduled=True).evaluation_noise or 0) > 0.01
    assert ran(loaded(net, two(), loss="cross_entropy"), updates=2, scheduled=True).evaluation_noise == 0


def test_outliers_are_told_by_their_share_of_the_error() -> None:
    x, y = numbers(100)
    far = y.clone()
    far[3] += 1_000
    workload = loaded(lambda: nn.Linear(4, 1), ((x, y), (x, far)), loss="mse_loss")
    result = ran(workload, updates=50, scheduled=True)
    assert (result.outlier_loss_share or 0) > 0.99


def test_a_schedule_takes_part_only_when_asked() -> None:
    workload = loaded(net, two(), loss="cross_entropy", epochs=4, scheduler=Scheduler(name="cosine"))
    lrs = [0.1 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert [e.lr for e in ran(workload, scheduled=True, evaluations=4).evaluations] == pytest.approx(lrs)
    assert [e.lr for e in ran(workload, evaluations=4).evaluations] == [0.1] * 4


def test_early_stopping_restores_the_best_weights() -> None:
    x, y = classes(32)
    wrong = (y + 1) % 3  # the better it learns, the worse it validates
    workload = loaded(net, ((x, y), (x, wrong)), loss="cross_entropy", epochs=50,
                      early_stopping=EarlyStopping(patience=2, metric="loss"))  # fmt: skip
    result = ran(workload, scheduled=True, evaluations=1)
    assert result.stopped_by == "early_stopping"
    assert result.updates <= 2 * 5
    assert result.evaluations[-1].validation_loss is not None
    assert result.evaluations[-1].validation_loss < 1.6


def test_an_average_of_the_weights_is_what_is_evaluated() -> None:
    workload = loaded(net, (classes(64), classes(64)), loss="cross_entropy", ema=Ema(decay=0.999999))
    result = ran(workload, updates=40, scheduled=True)
    assert result.final_loss == pytest.approx(result.initial_loss, rel=1e-3)  # the average has hardly moved
    raw = ran(workload, updates=40).final_loss
    assert raw is not None
    assert raw < 0.99 * (result.initial_loss or 0)


def test_groups_are_frozen_for_their_epochs() -> None:
    groups = (ParameterGroup(match="0.*", frozen_epochs=2, lr_scale=0.5),)
    workload = loaded(net, two(), loss="cross_entropy", optimizer=Optimizer(name="sgd", lr=0.1, groups=groups))
    first = ran(workload, updates=8, instruments=True)  # 4 updates an epoch: both epochs frozen
    assert all(set(trace.update_ratio) == {0.0} for trace in first.layers if trace.layer == "0")
    assert all(min(trace.update_ratio) > 0 for trace in first.layers if trace.layer == "2")


def test_changes_of_the_spec_are_applied() -> None:
    workload = loaded(net, two(), loss="cross_entropy")
    result = ran(workload, updates=8, changes={"optimizer.lr": 1e-9, "data.batch_size": 64})
    assert result.batches_per_epoch == 1
    assert result.losses[-1] == pytest.approx(result.losses[0], rel=1e-5)


def test_a_change_that_makes_no_spec_is_the_users_error() -> None:
    result = ran(loaded(net, two(), loss="cross_entropy"), changes={"optimizer.lr": -1})
    assert result.outcome is Outcome.USER_ERROR


@pytest.mark.parametrize("name", ["lbfgs", "adamw", "rmsprop", "adagrad", "nadam", "adafactor"])
def test_every_kind_of_optimizer_learns(name: str) -> None:
    if not any(item.lower() == name for item in vars(torch.optim)):
        pytest.skip(f"torch {torch.__version__} has none")
    optimizer = Optimizer(name=name, lr=0.5 if name == "lbfgs" else 0.02)
    result = ran(loaded(net, two(), loss="cross_entropy", optimizer=optimizer), updates=60)
    assert result.outcome is Outcome.COMPLETED, result.error
    assert result.final_loss is not None
    assert result.final_loss < 0.95 * (result.initial_loss or 0)


def test_bfloat16_and_float16_learn_too() -> None:
    for precision in ("bfloat16", "float16"):
        result = ran(loaded(net, two(), loss="cross_entropy", precision=precision), updates=60)
        assert result.outcome is Outcome.COMPLETED, result.error
        assert result.final_loss is not None
        assert result.final_loss < 0.95 * (result.initial_loss or 0)


def test_permuted_labels_and_zeroed_inputs_are_controls() -> None:
    x, y = classes(256)
    workload = loaded(net, ((x, y), (x, y)), loss="cross_entropy", optimizer=Optimizer(name="adam", lr=0.02))
    given, permuted, zeroed = (
        ran(workload, updates=150, rows=rows) for rows in (Rows(), Rows(labels="permuted"), Rows(inputs="zeroed"))
    )
    assert given.evaluations[-1].validation_metric is not None
    assert given.evaluations[-1].validation_metric > 0.9
    assert permuted.evaluations[-1].validation_metric is not None
    assert permuted.evaluations[-1].validation_metric < 0.75
    assert zeroed.evaluations[-1].train_loss == pytest.approx(math.log(3), rel=0.1)


def test_a_share_of_the_rows_is_a_fixed_nested_subset() -> None:
    workload = loaded(net, two(), loss="cross_entropy")
    assert ran(workload, updates=3, rows=Rows(share=0.25)).rows_used == 16
    assert ran(workload, updates=3, rows=Rows(share=0.5)).rows_used == 32


def test_the_users_process_is_given_back_as_it_was() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    ran(loaded(net, two(), loss="cross_entropy"), updates=3)
    assert torch.equal(torch.rand(3), wanted)


def test_our_loop_replaces_the_users_on_request() -> None:
    def loop(model: nn.Module, optimizer: Any, batches: Any) -> None:
        raise AssertionError("must not run")

    workload = loaded(net, two(), loss="cross_entropy", loop_fn=loop)
    assert ran(workload, updates=3, loop="user", transforms=(Transform.OUR_LOOP,)).outcome is Outcome.COMPLETED
