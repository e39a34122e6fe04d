"""What was found out in this process about stacking one model's trials?"""

from dataclasses import dataclass, field

from torch import Tensor

LEAST_GAIN = 1.05  # below it two timings of one thing differ as much


@dataclass(frozen=True, kw_only=True)
class Alone:
    """The first steps of one trial that trains by itself."""

    seconds: float  # of one step
    losses: tuple[float, ...]
    buffers: dict[str, Tensor]
    bytes_held: int  # by one trial: weights, gradients, the optimizer's states, and what autograd keeps of a step


@dataclass
class Decisions:
    """Kinds of trials are named by `trials.kind_of`, as JSON."""

    alone: dict[str, Alone] = field(default_factory=dict)
    gains: dict[tuple[str, int], float] = field(default_factory=dict)  # kind, size -> times as fast as one by one
    refusals: dict[str, str] = field(default_factory=dict)  # kind -> what forbids stacking, whatever its size

    def too_slow(self, kind: str, size: int) -> float | None:
        """Return the gain of a stack at least as large, if it was not worth it: a smaller one gains less."""
        slow = [gain for (known, n), gain in self.gains.items() if known == kind and n >= size and gain < LEAST_GAIN]
        return max(slow, default=None)
