"""What was found out in this process about stacking one model's trials?"""

from dataclasses import dataclass, field

from torch import Tensor

from diagnoser.trials import Trial

LEAST_GAIN = 1.05  # below it two timings of one thing differ as much
ENOUGH_TRIES = 2  # one may have fallen into somebody else's burst of work


@dataclass(frozen=True, kw_only=True)
class Alone:
    """The first steps of one trial that trains by itself."""

    trial: Trial
    seconds: float  # of one step
    losses: tuple[float, ...]
    buffers: dict[str, Tensor]
    bytes_held: int  # by one trial: weights, gradients, the optimizer's states, and what autograd keeps of a step


@dataclass
class Decisions:
    """Kinds of trials are named by `trials.kind_of`, as JSON."""

    alone: dict[str, Alone] = field(default_factory=dict)
    gains: dict[tuple[str, int], tuple[float, ...]] = field(default_factory=dict)  # kind, size -> as timed, try by try
    refusals: dict[str, str] = field(default_factory=dict)  # kind -> what forbids stacking, whatever its size

    def gain(self, kind: str, size: int) -> float | None:
        """Return how many times as fast a stack is as its trials one by one; None: not known well enough."""
        tries = self.gains.get((kind, size), ())
        best = max(tries, default=0.0)
        return best if best >= LEAST_GAIN or len(tries) >= ENOUGH_TRIES else None

    def is_too_slow(self, kind: str, size: int) -> bool:
        """Tell whether a stack at least as large was not worth it: a smaller one gains less."""
        known = [self.gain(kind, n) for name, n in self.gains if name == kind and n >= size]
        return any(gain is not None and gain < LEAST_GAIN for gain in known)
