"""The loop audit on loops whose faults are known, and on correct loops of many styles."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import clip_grad_norm_

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.spec.fields import Optimizer, Scheduler
from diagnoser.training.probes import loop as loop_probe
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import blobs, net, workload

Loop = Callable[..., None]


def audit(loop: Loop | None = None, evaluate: Callable[..., Any] | None = None, **settings: Any) -> LoopAudit:
    given = workload(loop=loop, evaluate=evaluate, **settings)
    return loop_probe.measure(given, Probe(probe=ProbeKind.LOOP))


# ---- loops


def plain(model: Any, optimizer: Any, batches: Any) -> None:
    model.train()
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()


def cleared_afterwards(model: Any, optimizer: Any, batches: Any) -> None:
    model.train()
    for x, y in batches:
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        for p in model.parameters():
            p.grad = None


def cleared_by_the_model(model: Any, optimizer: Any, batches: Any) -> None:
    model.train()
    for x, y in batches:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def with_a_closure(model: Any, optimizer: Any, batches: Any) -> None:
    model.train()
    for x, y in batches:

        def closure(x: Any = x, y: Any = y) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)


def clipped_and_scheduled(model: Any, optimizer: Any, batches: Any, scheduler: Any) -> None:
    model.train()
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        clip_grad_norm_(model.parameters(), 0.01)
        optimizer.step()
        scheduler.step()


def two_losses(model: Any, optimizer: Any, batches: Any) -> None:
    model.train()
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        sum(p.square().sum() for p in model.parameters()).mul(1e-3).backward()
        optimizer.step()


def drawn_ahead(model: Any, optimizer: Any, batches: Any) -> None:
    model.train()
    for x, y in list(batches):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def with_other_loss(model: Any, optimizer: Any, batches: Any) -> None:
    model.train()
    total = 0.0
    for x, y in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y, label_smoothing=0.2) + 0.01 * model(x).square().mean()
        loss.backward()
        optimizer.step()
        total += loss.item()


def scaled(model: Any, optimizer: Any, batches: Any, scaler: Any) -> None:
    model.train()
    for x, y in batches:
        optimizer.zero_grad()
        scaler.scale(F.cross_entropy(model(x), y)).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def accumulating(model: Any, optimizer: Any, batches: Any) -> None:
    model.train()
    optimizer.zero_grad()
    for i, (x, y) in enumerate(batches):
        (F.cross_entropy(model(x), y) / 4).backward()
        if i % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()


def accumulating_sums(model: Any, optimizer: Any, batches: Any) -> None:
    model.train()
    optimizer.zero_grad()
    for i, (x, y) in enumerate(batches):
        F.cross_entropy(model(x), y).backward()
        if i % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()


CORRECT = [
    plain,
    cleared_afterwards,
    cleared_by_the_model,
    with_a_closure,
    clipped_and_scheduled,
    two_losses,
    drawn_ahead,
    with_other_loss,
    scaled,
    accumulating,
]


@pytest.mark.parametrize("loop", CORRECT)
def test_a_correct_loop_shows_nothing(loop: Loop) -> None:
    seen = audit(
        loop,
        share_evaluate,
        model=lambda: net(0.3, norm=True),
        accumulate_batches=4 if loop is accumulating else 1,
        scheduler=Scheduler(name="cosine"),
    )
    assert seen.error is None
    assert seen.gradient_cosine == pytest.approx(1.0, abs=1e-6)
    assert seen.gradient_matches_sum is False
    assert seen.parameters_changed
    assert seen.gradient_nonzero
    assert seen.batches_drawn == seen.batches_given == 12
    assert seen.backwards >= 12
    assert set(seen.forward_modes) == set(seen.second_epoch_modes) == {True}
    assert seen.modules_in_eval_while_training == ()
    assert seen.repeated_batch is False
    assert seen.memory_growth_share == 0
    assert max(seen.graph_nodes_kept) == seen.graph_nodes_kept[0]
    assert seen.loss_rises_on_same_batch is not None or loop is with_a_closure
    assert (seen.loss_rises_on_same_batch or 0) <= 0.2
    assert seen.modules_training_while_evaluating == ()
    assert seen.evaluate_changes_state is False
    assert seen.evaluations_differ is False


def test_the_order_of_calls_is_told() -> None:
    assert audit(plain).order == ("zero_grad", "forward", "backward", "step") * 2
    expected = ("zero_grad", "forward", "backward", "clip", "step", "scheduler") * 2
    assert audit(clipped_and_scheduled, scheduler=Scheduler(name="cosine", interval="step")).order == expected
    assert audit(with_a_closure).order == ("zero_grad", "forward", "backward", "step") * 2
    assert audit(drawn_ahead).order == ("zero_grad", "forward", "backward", "step") * 2


@pytest.mark.parametrize("optimizer", [Optimizer(name="lbfgs", lr=0.1), Optimizer(name="adam", lr=1e-3)])
def test_closures_and_adaptive_optimizers_show_nothing(optimizer: Optimizer) -> None:
    seen = audit(with_a_closure, optimizer=optimizer)
    assert seen.error is None
    assert seen.gradient_cosine == pytest.approx(1.0, abs=1e-6)


def test_gradients_that_are_never_cleared_equal_the_sum_over_past_batches() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        model.train()
        for x, y in batches:
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    seen = audit(loop)
    assert seen.gradient_cosine is not None
    assert seen.gradient_cosine < 0.95
    assert seen.gradient_matches_sum is True
    assert seen.clears == 0


def test_gradients_that_are_clipped_and_never_cleared_are_seen_too() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            F.cross_entropy(model(x), y).backward()
            clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()

    seen = audit(loop)
    assert seen.gradient_cosine is not None
    assert seen.gradient_cosine < 1 - 1e-3
    assert seen.gradient_matches_sum is True


def test_sums_over_accumulated_batches_are_told_from_means() -> None:
    assert audit(accumulating, accumulate_batches=4).accumulation_ratio == pytest.approx(1.0, rel=1e-3)
    assert audit(accumulating_sums, accumulate_batches=4).accumulation_ratio == pytest.approx(4.0, rel=1e-3)
    assert audit(plain).accumulation_ratio is None


def test_a_loss_that_is_kept_with_its_graph_keeps_more_nodes_each_batch() -> None:
    kept = []

    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward(retain_graph=True)
            optimizer.step()
            kept.append(loss)

    seen = audit(loop)
    one = seen.graph_nodes_kept[0]
    assert seen.graph_nodes_kept == tuple(one * n for n in range(1, 13))
    assert seen.memory_growth_share is not None
    assert seen.memory_growth_share > 0.1


def test_a_running_total_with_its_graph_is_seen() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        total: Any = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total = total + loss

    seen = audit(loop)
    assert list(seen.graph_nodes_kept[:-1]) == sorted(set(seen.graph_nodes_kept[:-1]))


def test_an_optimizer_that_never_steps_changes_nothing() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()

    seen = audit(loop)
    assert (seen.steps, seen.backwards) == (0, 12)
    assert seen.parameters_changed is False
    assert seen.gradient_nonzero is True


def test_gradients_cleared_before_the_step_are_seen_in_the_order() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            F.cross_entropy(model(x), y).backward()
            optimizer.zero_grad()
            optimizer.step()

    seen = audit(loop)
    assert seen.order == ("forward", "backward", "zero_grad", "step") * 2
    assert seen.parameters_changed is False


def test_eval_mode_that_stays_on_is_seen_in_the_second_epoch() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    seen = audit(loop, share_evaluate, model=lambda: net(0.3))
    assert set(seen.forward_modes) == {True}
    assert set(seen.second_epoch_modes) == {False}
    assert seen.modules_in_eval_while_training == ("2",)


def test_a_loop_that_climbs_is_seen() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            optimizer.zero_grad()
            (-F.cross_entropy(model(x), y)).backward()
            optimizer.step()

    assert audit(loop).loss_rises_on_same_batch == 1.0


def test_a_loop_that_repeats_one_batch_is_seen() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        for _ in range(len(batches)):
            x, y = next(iter(batches))
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    seen = audit(loop)
    assert seen.repeated_batch is True
    assert (seen.batches_given, seen.batches_drawn) == (12, 1)


def test_what_the_loop_raises_is_told_in_its_own_words() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            F.cross_entropy(model(x.detach()).detach(), y).backward()

    seen = audit(loop, share_evaluate)
    assert seen.error is not None
    assert "does not require grad" in seen.error.message
    assert "loop_audit" not in seen.error.traceback
    assert seen.batches_drawn == 1


def test_torch_and_the_workload_are_as_before() -> None:
    before = (
        torch.autograd.backward,
        torch.autograd.grad,
        nn.Module.zero_grad,
        torch.nn.utils.clip_grad_norm_,
        clip_grad_norm_,
    )
    seen = audit(clipped_and_scheduled, scheduler=Scheduler(name="cosine"))
    assert seen.error is None
    assert "clip" in seen.order
    after = (
        torch.autograd.backward,
        torch.autograd.grad,
        nn.Module.zero_grad,
        torch.nn.utils.clip_grad_norm_,
        clip_grad_norm_,
    )
    assert before == after


def test_a_loop_that_spoils_its_batches_spoils_no_later_one() -> None:
    def loop(model: Any, optimizer: Any, batches: Any) -> None:
        for x, y in batches:
            x.mul_(0)
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    given = workload(loop=loop)
    rows = given.train.take([0, 1])[0].clone()
    loop_probe.measure(given, Probe(probe=ProbeKind.LOOP))
    assert torch.equal(rows, given.train.take([0, 1])[0])


def test_without_loop_and_evaluate_there_is_nothing_to_audit() -> None:
    assert audit() == LoopAudit(has_loop=False, has_evaluate=False)


# ---- evaluate


def share_evaluate(model: Any, batches: Any) -> dict[str, float]:
    model.eval()
    right = rows = 0
    with torch.no_grad():
        for x, y in batches:
            right += int((model(x).argmax(1) == y).sum())
            rows += len(y)
    return {"accuracy": right / rows}


def test_a_correct_evaluation_gives_our_figure() -> None:
    seen = audit(plain, share_evaluate)
    assert seen.user_metrics["accuracy"] == pytest.approx(seen.our_metrics["accuracy"])
    assert seen.gradients_enabled_in_evaluate is False
    assert (seen.evaluate_batches_given, seen.evaluate_batches_drawn) == (7, 7)


def test_dropout_that_is_switched_on_in_a_model_in_eval_mode_is_told_from_a_model_left_in_train_mode() -> None:
    def evaluate(model: Any, batches: Any) -> dict[str, float]:
        model.eval()
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.train()
        return {"val_loss": sum(F.cross_entropy(model(x), y).item() for x, y in batches)}

    seen = audit(plain, evaluate, model=lambda: net(0.5, norm=True))
    assert seen.modules_training_while_evaluating == ("3",)
    assert seen.dropout_switched_on_alone is True


def test_evaluating_in_train_mode_is_seen() -> None:
    def evaluate(model: Any, batches: Any) -> dict[str, float]:
        loss = [F.cross_entropy(model(x), y).item() for x, y in batches]
        return {"val_loss": sum(loss) / len(loss)}

    seen = audit(plain, evaluate, model=lambda: net(0.5, norm=True))
    assert seen.modules_training_while_evaluating == ("1", "3")
    assert seen.dropout_switched_on_alone is False
    assert seen.evaluate_changes_state is True
    assert seen.evaluations_differ is True
    assert seen.evaluations_agree_in_eval is True
    assert seen.gradients_enabled_in_evaluate is True


def test_a_plain_mean_over_unequal_batches_is_told_from_the_mean_over_rows() -> None:
    def evaluate(model: Any, batches: Any) -> dict[str, float]:
        model.eval()
        each = [F.cross_entropy(model(x), y).item() for x, y in batches]
        shares = [(model(x).argmax(1) == y).float().mean().item() for x, y in batches]
        return {"Val loss": sum(each) / len(each), "acc": 100 * sum(shares) / len(shares)}

    noisy = (blobs(320, seed=1, noise=4.0), blobs(100, seed=2, noise=4.0))  # 100 rows: the last batch has 4
    seen = audit(plain, evaluate, data=noisy)
    for name in ("Val loss", "acc"):
        assert seen.user_metrics[name] == pytest.approx(seen.batch_mean_metrics[name], rel=1e-5)
        assert seen.user_metrics[name] != pytest.approx(seen.our_metrics[name], rel=1e-4)


def test_an_evaluation_of_the_whole_data_set_by_its_length_is_right() -> None:
    def evaluate(model: Any, batches: Any) -> float:
        model.eval()
        return sum(int((model(x).argmax(1) == y).sum()) for x, y in batches) / len(batches.dataset)

    seen = audit(None, evaluate)
    assert seen.has_loop is False
    assert 0 <= seen.user_metrics["value"] <= 1
