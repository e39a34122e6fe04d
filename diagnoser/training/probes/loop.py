"""What do the user's own `loop` and `evaluate` really do? Both run for a few batches on a model of ours."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.training import host_copies
from diagnoser.training import loop_audit as audit
from diagnoser.training.batches import length
from diagnoser.training.failures import USER_STOPS, is_ours, user_error
from diagnoser.training.listening import GivenBatches, listening
from diagnoser.training.probes.loop_evaluation import evaluation
from diagnoser.training.user_loop import arguments
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe

BATCHES = 12  # enough for three updates of an accumulation over 4, and few enough to cost nothing
SMALL_UPDATES = 10
SMALL_LR = 0.01  # times the user's: an update so small that the gradient's sign decides alone
RISE = 1e-6  # relative; a smaller one is the rounding of float32
COPIES_SEEN = 6  # batches: a number that is read every tenth is none of each step
STEPS_OF_MEMORY = 50  # growth is told for so many steps, as the catalogue does
DEFAULT_SECONDS = 30.0

Facts = dict[str, Any]


def measure(workload: Workload, probe: Probe) -> LoopAudit:
    """Run the user's loop, their evaluate, and the loop again; on a model of our own."""
    loop, evaluate = workload.attribute("loop"), workload.attribute("evaluate")
    facts: Facts = {"has_loop": loop is not None, "has_evaluate": evaluate is not None}
    if loop is None and evaluate is None:
        return LoopAudit(**facts)
    seconds = probe.max_seconds or DEFAULT_SECONDS
    try:
        _audit(workload, probe.seed, seconds, facts)
        if loop is not None:
            facts["loss_rises_on_same_batch"] = _rising_share(workload, loop, probe.seed)
            facts.update(_host_copies(workload, loop, probe.seed))
    except USER_STOPS as error:
        if is_ours(error):
            raise
        facts["error"] = user_error(error)
    return LoopAudit(**facts)


def _audit(workload: Workload, seed: int, seconds: float, facts: Facts) -> None:
    """Walk through loop, evaluate, loop. What was seen before the user's code raised stays in `facts`."""
    loop, evaluate = workload.attribute("loop"), workload.attribute("evaluate")
    run = _Run(workload, seed, batches=_affordable(workload, seed, seconds) if loop is not None else 0)
    first: audit.Seen | None = None
    if loop is not None:
        first = run.epoch(loop, 0, facts)
        facts.update(_of_first_epoch(run, first))
    if evaluate is not None:
        facts.update(evaluation(workload, run.model, evaluate, seconds=seconds / 3))
    if loop is not None and first is not None:
        second = run.epoch(loop, 1, facts)
        facts.update(
            forward_modes=tuple(first.modes),
            second_epoch_modes=tuple(second.modes),
            modules_in_eval_while_training=tuple(sorted(first.modules_in_eval | second.modules_in_eval)),
            **_likeness([*first.cosines, *second.cosines], [*first.sums, *second.sums]),
        )


class _Run:
    """A model of our own with its optimizer and scheduler, and the epochs that the user's loop trains it for."""

    def __init__(self, workload: Workload, seed: int, *, batches: int) -> None:
        self.workload, self.seed, self.batches = workload, seed, batches
        self.model = workload.build_model(seed=seed)
        self.optimizer = workload.build_optimizer(self.model)
        self.ratios: list[float] = []
        self.changed = False
        self.recorder = audit.Recorder(self.model, self.optimizer, before_step=self._joint_gradient)
        self._start = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self._scratch = _Scratch(workload, seed)

    def epoch(self, loop: Callable[..., Any], epoch: int, facts: Facts) -> audit.Seen:
        """Let the user's loop train for one short epoch."""
        given = list(islice(_batches(self.workload, self.seed, epoch), self.batches))
        seen = self.recorder.seen = audit.Seen()
        try:
            with listening(self.recorder, loop):
                call_loop(self.workload, loop, self.model, self.optimizer, given=given, recorder=self.recorder)
        finally:
            self.recorder.batch_done()
            if epoch == 0:
                facts.update(_counts(seen, len(given)))
        self.changed = self.changed or any(
            not torch.equal(p.detach(), self._start[name]) for name, p in self.model.named_parameters()
        )
        return seen

    def _joint_gradient(self, windows: Sequence[audit.Window]) -> None:
        """Compare what several batches have accumulated with the mean gradient of all of them together."""
        if len({window.index for window in windows}) < 2 or len(self.ratios) >= 2:
            return
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        accumulated = audit.norm([p.grad.detach() for p in parameters if p.grad is not None])
        copy = self._scratch.like(self.model)
        if copy is None:
            return
        for window in windows:
            window.randomness.restore()
            (self.workload.loss(copy, window.batch) / len(windows)).backward()
        joint = audit.norm([p.grad.detach() for p in copy.parameters() if p.grad is not None])
        if joint > 0:
            self.ratios.append(accumulated / joint)


class _Scratch:
    """A second model of the same build, brought to the state of the first when asked: no deepcopy of user objects."""

    def __init__(self, workload: Workload, seed: int) -> None:
        self._model = workload.build_model(seed=seed)

    def like(self, model: nn.Module) -> nn.Module | None:
        """Return a model with the same weights, buffers and modes, without gradients; None when the two do not fit."""
        try:
            self._model.load_state_dict(model.state_dict())
        except RuntimeError:
            return None
        for copy, original in zip(self._model.modules(), model.modules(), strict=False):
            copy.training = original.training
        self._model.zero_grad(set_to_none=True)
        return self._model


def call_loop(
    workload: Workload,
    loop: Callable[..., Any],
    model: nn.Module,
    optimizer: Optimizer,
    *,
    given: Sequence[Any],
    recorder: audit.Recorder,
) -> None:
    """Call the user's loop with what it names, its scheduler wrapped so that its steps are seen."""
    batches = GivenBatches(
        given,
        rows=sum(length(batch) for batch in given),
        batch_size=workload.train.batch_size,
        drawn=recorder.drawn,
    )
    loop(model, optimizer, batches, **_named(workload, loop, optimizer, recorder))


def _named(
    workload: Workload, loop: Callable[..., Any], optimizer: Optimizer, recorder: audit.Recorder
) -> dict[str, Any]:
    """Build what the loop asks for by name: scheduler, loss, scaler."""
    wanted = arguments(loop, {"scheduler": None, "loss": None, "scaler": None})
    if "scheduler" in wanted:
        schedule = workload.build_scheduler(
            optimizer, total_updates=workload.total_updates, updates_per_epoch=workload.updates_per_epoch
        )
        scheduler = None if schedule is None else schedule.scheduler
        if scheduler is not None:
            step = scheduler.step

            def told(*args: Any, **kwargs: Any) -> Any:
                recorder.noted("scheduler")
                return step(*args, **kwargs)

            vars(scheduler)["step"] = told
        wanted["scheduler"] = scheduler
    if "loss" in wanted:
        wanted["loss"] = None if workload.loss_function is None else workload.loss_function.of
    if "scaler" in wanted:
        wanted["scaler"] = torch.amp.GradScaler(workload.device.type, enabled=False)
    return wanted


def _batches(workload: Workload, seed: int, epoch: int) -> Iterator[Any]:
    for batch in workload.train.batches(seed=seed, epoch=epoch):
        yield workload.to_device(batch)


def _affordable(workload: Workload, seed: int, seconds: float) -> int:
    """Choose how many batches an epoch of the audit has: three short epochs, each batch seen about four times."""
    wanted = max(BATCHES, 3 * workload.spec.accumulate_batches)
    model = workload.build_model(seed=seed)
    batch = next(_batches(workload, seed, 0))
    started = time.perf_counter()
    loss = workload.loss(model, batch)
    if loss.requires_grad:
        loss.backward()
    each = time.perf_counter() - started
    return max(4, min(wanted, int(seconds / (3 * 4 * each + 1e-9))))


# ---- what an epoch showed, in the words of the record


def _counts(seen: audit.Seen, given: int) -> Facts:
    return {
        "batches_given": given,
        "batches_drawn": len(set(seen.drawn)),
        "backwards": seen.backwards,
        "steps": seen.steps,
        "clears": max(seen.clears, seen.clear_calls),
        "order": _order(seen.events),
        "forward_modes": tuple(seen.modes),
        "gradient_nonzero": seen.gradient_nonzero,
    }


def _of_first_epoch(run: _Run, seen: audit.Seen) -> Facts:
    parameters = sum(p.numel() * p.element_size() for p in run.model.parameters())
    growth = _growth(seen.held)
    one_run = 2 * parameters + seen.graph_bytes  # weights, gradients and one graph
    base = seen.held[0] if torch.cuda.is_initialized() and seen.held else one_run
    draws = len(seen.drawn)
    return {
        "parameters_changed": run.changed,
        "graph_nodes_kept": tuple(seen.nodes),
        "memory_growth_share": None if growth is None or not base else growth * STEPS_OF_MEMORY / base,
        "repeated_batch": None if draws == 0 else len(set(seen.drawn)) == 1 and max(draws, seen.steps) > 2,
        "accumulation_ratio": max(run.ratios) if run.ratios else None,
    }


def _order(events: Sequence[str]) -> tuple[str, ...]:
    """Cut the events of the first two batches; a loop that draws all batches first is cut after its second step."""
    draws = [index for index, event in enumerate(events) if event == "draw"]
    end = draws[2] if len(draws) > 2 else len(events)
    if "step" not in events[:end] and "forward" not in events[:end]:
        steps = [index for index, event in enumerate(events) if event == "step"]
        end = steps[1] + 1 if len(steps) > 1 else len(events)
    return tuple(event for event in events[:end] if event != "draw")


def _growth(held: Sequence[int]) -> float | None:
    """Bytes a batch, from the second batch on: the first one fills gradients and optimizer state."""
    return (held[-1] - held[1]) / (len(held) - 2) if len(held) > 2 else None


def _likeness(cosines: Sequence[float], sums: Sequence[float | None]) -> Facts:
    if not cosines:
        return {}
    worst = min(range(len(cosines)), key=lambda index: cosines[index])
    total = sums[worst]
    return {
        "gradient_cosine": cosines[worst],
        "gradient_matches_sum": total is not None and 1 - total < audit.SAME,
    }


def _rising_share(workload: Workload, loop: Callable[..., Any], seed: int) -> float | None:
    """Train at a hundredth of the lr: how often does an update raise the loss of its own batch?"""
    model = workload.build_model(seed=seed)
    optimizer = workload.build_optimizer(model)
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * SMALL_LR
    scratch = _Scratch(workload, seed)
    before: list[float] = []
    rose: list[bool] = []

    def loss_now(windows: Sequence[audit.Window]) -> float | None:
        copy = scratch.like(model)
        if copy is None or not windows or len(rose) >= SMALL_UPDATES:
            return None
        total = 0.0
        with torch.no_grad():
            for window in windows:
                window.randomness.restore()
                total += float(workload.loss(copy, window.batch))
        return total

    def look_before(windows: Sequence[audit.Window]) -> None:
        loss = loss_now(windows)
        before[:] = [] if loss is None else [loss]

    def look_after(windows: Sequence[audit.Window]) -> None:
        loss = loss_now(windows)
        if before and loss is not None:
            rose.append(loss - before[0] > RISE * abs(before[0]))

    recorder = audit.Recorder(model, optimizer, before_step=look_before, after_step=look_after)
    given = list(islice(_batches(workload, seed, 0), SMALL_UPDATES * workload.spec.accumulate_batches))
    with listening(recorder, loop):
        call_loop(workload, loop, model, optimizer, given=given, recorder=recorder)
    return sum(rose) / len(rose) if rose else None


def _host_copies(workload: Workload, loop: Callable[..., Any], seed: int) -> Facts:
    """Run the loop once more without our instruments, which read on the host themselves."""
    model = workload.build_model(seed=seed)
    optimizer = workload.build_optimizer(model)
    unheard = audit.Recorder(model, optimizer)
    given = list(islice(_batches(workload, seed, 0), max(COPIES_SEEN, 2 * workload.spec.accumulate_batches)))
    seen = host_copies.watch(
        lambda: call_loop(workload, loop, model, optimizer, given=given, recorder=unheard),
        optimizer,
        device=workload.device,
    )
    if seen is None:
        return {}
    return {"host_copies_per_step": seen.per_step, "host_wait_share": seen.waiting_share}
