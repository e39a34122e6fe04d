"""Does stacking pay for this model on this device? Told by a few timed steps of one trial alone, beside the stack's.

Stacking pays while a step is bound by the overhead of its operations, and loses when it is bound by arithmetic
(research/performance.md 2), so it is tried out, once for each kind of trial and size of stack.
"""

import contextlib
from typing import Any

import torch
from torch import Tensor

from diagnoser.training.loop import train
from diagnoser.training.memory import Kept
from diagnoser.training.modes import functional_dropout_off
from diagnoser.training.preparation import prepare
from diagnoser.training.randomness import restored
from diagnoser.training.stacked import clock
from diagnoser.training.stacked.decisions import Alone
from diagnoser.training.watching import Stop
from diagnoser.training.workload import Workload
from diagnoser.trials import Trial

STEPS = 8  # the first warms up; the fastest of the others is what a step costs
LONGEST_STEP = {"cpu": 0.005, "cuda": 0.1}  # seconds: on a CPU it pays under about 3 ms (performance.md 2); 8 ms: 0.9
FEWEST_TRIALS = 3  # two at once were never faster than one by one: 0.5 to 0.96 in 40 tries on a CPU, one of 1.1
ENOUGH_UPDATES = 8  # a shorter trial is over before stacking gains what joining costs; 12 gain (benchmarks/search.py)
STATES = 4  # tensors of the size of the weights: weights, gradients, and up to two of the optimizer


class _Timed:
    """Follows a few steps in place of a Watch."""

    def __init__(self, device: torch.device) -> None:
        self.instruments = None
        self.norms: list[Tensor] = []
        self.updates = 0
        self.losses: list[Tensor] = []
        self.seconds: list[float] = []
        self.kept = Kept()  # of the first step
        self._counting = contextlib.ExitStack()
        self._counting.enter_context(self.kept)
        self._device = device
        self._began = clock.seconds(device)

    def batch_loss(self, loss: Tensor) -> None:
        self.losses.append(loss.detach().reshape(()))

    def after_update(self) -> None:
        self.seconds.append(clock.seconds(self._device) - self._began)
        self.updates += 1
        self._counting.close()
        if self.updates >= STEPS:
            raise Stop("length")
        self._began = clock.seconds(self._device)

    def after_epoch(self) -> None:
        """Nothing happens between epochs."""

    def close(self) -> None:
        self._counting.close()


def time_alone(workload: Workload, trial: Trial) -> Alone:
    """Train one trial for a few steps, on objects of its own. Raises what the user's code raises."""
    with restored(), functional_dropout_off(when=not trial.regularised):
        prepared = prepare(workload, trial)
        held = STATES * sum(p.numel() * p.element_size() for p in prepared.model.parameters())
        timed: Any = _Timed(workload.device)
        try:
            train(prepared, timed)
        except Stop:
            pass
        finally:
            timed.close()
        return Alone(
            trial=trial,
            seconds=min(timed.seconds[1:] or timed.seconds),
            losses=tuple(torch.stack(timed.losses).tolist()),
            buffers={name: buffer.detach().clone() for name, buffer in prepared.model.named_buffers()},
            bytes_held=held + timed.kept.bytes,
        )
