"""Is this stack faster than its trials one by one, and does its first trial do what it does alone?"""

import torch
from torch import Tensor

from diagnoser.training.stacked import clock
from diagnoser.training.stacked.decisions import LEAST_GAIN, Alone
from diagnoser.training.stacked.joining import Joined
from diagnoser.training.stacked.unstackable import Unstackable
from diagnoser.trials import Trial

_SAME = 1e-2  # two ways to sum differ in the last bits, and Adam blows that up; another program differs in the first


class Try:
    """Times the first steps of a stack, and compares its first row with that trial alone where it is known."""

    def __init__(self, alone: Alone, *, first: Trial) -> None:
        self._alone = alone
        self._is_first = first == alone.trial
        self._losses: list[Tensor] = []
        self._seconds: list[float] = []
        self._began: float | None = None
        self.gain: float | None = None  # times as fast as one by one; None: not known yet

    def before(self, device: torch.device) -> None:
        """Start the clock of a step, once for all the batches of an update."""
        if self._began is None:
            self._began = clock.seconds(device)

    def loss(self, loss: Tensor) -> None:
        """Note a batch loss of the first trial."""
        self._losses.append(loss)

    def is_over(self, joined: Joined, *, trials: int) -> bool:
        """Stop the clock; after the last step, tell whether to go on. Raises Unstackable."""
        assert self._began is not None
        self._seconds.append(clock.seconds(joined.weights.device) - self._began)
        self._began = None
        if len(self._losses) < len(self._alone.losses):
            return False
        if self._is_first:
            self._require_twin(joined)
        one = min(self._seconds[1:] or self._seconds) / trials
        self.gain = self._alone.seconds / one
        if self.gain < LEAST_GAIN:
            raise Unstackable("one by one is faster")
        return True

    def _require_twin(self, joined: Joined) -> None:
        losses = torch.stack(self._losses).float().cpu()
        expected = torch.tensor(self._alone.losses)
        buffers = {name: tensor[0] for name, tensor in joined.buffers.items()}
        same = _close(losses, expected) and all(_close(buffers[n], b) for n, b in self._alone.buffers.items())
        if not same:
            raise Unstackable("as one batched model the first trial does not do what it does alone")


def _close(one: Tensor, other: Tensor) -> bool:
    if not one.is_floating_point():
        return torch.equal(one, other)
    scale = float(other.abs().nan_to_num().max()) if other.numel() else 0.0
    return torch.allclose(one.double(), other.double(), rtol=_SAME, atol=_SAME * scale, equal_nan=True)
