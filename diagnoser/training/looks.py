"""When is a run looked at? As often as is not felt: counted, not timed, so that one trial is the same everywhere."""

from collections.abc import Sequence

from diagnoser.training.preparation import Prepared

# What may be looked at while training without being felt, as shares of its work: 2 % for weights, 2 % for activations.
LOOKS_SHARE = 0.02
# Where in a run, what tells most first. The first step shows the initial weights, the twentieth what a warm-up would
# spare, the half what Adagrad has left; units are dead for good at the end, and shown untrained by a probe.
WEIGHTS_AT = (0.0, 0.05, 0.5, 1.0, 0.25, 0.75, 0.1, 0.375, 0.875, 0.625, 0.15, 0.3)
ACTIVATIONS_AT = (1.0, 0.5, 0.75, 0.25, 0.05, 0.875, 0.375, 0.1, 0.625, 0.15, 0.0, 0.3)
# What the rules ask for is had by every run, even where it costs more than its share: below about 300 updates.
FEWEST_WEIGHTS, FEWEST_ACTIVATIONS, FEWEST_NORMS = 4, 3, 20
NORM_EVERY = 10  # updates: the norm of all gradients costs 0.03 (transformer) to 0.2 (two layers) of one
# Costs in updates, measured within a run, where code and data are cold (in a loop of their own they cost a third):
# weights 0.1-0.55; activations 1.5-2.3 for 256 rows beside batches of 64, whose forward pass makes 4/3 of them.
_WEIGHTS_COST = 0.5
_ACTIVATIONS_COST = 0.5
_FORWARD = 1 / 3


def norm_every(prepared: Prepared) -> int:
    """Return at every how many updates the gradient's norm is taken; clipping computes it anyway."""
    if prepared.spec.gradient_clip_norm is not None:
        return 1
    return max(1, min(NORM_EVERY, prepared.updates // FEWEST_NORMS))


def at_weights(prepared: Prepared) -> frozenset[int]:
    """Choose the updates at which weights and their gradients are looked at."""
    return _chosen(prepared, WEIGHTS_AT, cost=_WEIGHTS_COST, fewest=FEWEST_WEIGHTS)


def at_activations(prepared: Prepared, *, rows: int) -> frozenset[int]:
    """Choose the updates at which activations are looked at, on so many rows."""
    cost = _ACTIVATIONS_COST + _FORWARD * max(1.0, rows / prepared.train.batch_size)
    return _chosen(prepared, ACTIVATIONS_AT, cost=cost, fewest=FEWEST_ACTIVATIONS)


def _chosen(prepared: Prepared, wanted: Sequence[float], *, cost: float, fewest: int) -> frozenset[int]:
    """Take as many of the wanted shares of the run as are affordable; `cost` of one look is in batches."""
    affordable = int(LOOKS_SHARE * prepared.updates * prepared.spec.accumulate_batches / cost)
    last = max(0, prepared.updates - 1)
    return frozenset(int(share * last) for share in wanted[: max(fewest, affordable)])
