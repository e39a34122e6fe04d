"""Which layers normalise, and do BatchNorm's running statistics agree with those of a batch after training?"""

from typing import NamedTuple

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.records import is_finite
from rules import user_runs

APART = 1.5  # eval loss over train-mode loss of one batch (CATALOGUE, batch-norm-statistics-stale)
NOT_NOTHING = 0.05  # of the initial loss: a ratio of two losses near zero says nothing
CURED = 1.1  # the same ratio after 50 batches of fresh statistics


class Gap(NamedTuple):
    """One run's loss on one batch, by the batch's own statistics and by the running ones."""

    train: float
    eval: float
    recalibrated: float | None
    apart: bool

    @property
    def ratio(self) -> float:
        """Eval over train mode; a train-mode loss of nothing counts as a very small one."""
        return self.eval / max(self.train, 1e-12)

    @property
    def cured(self) -> bool:
        """Whether fresh statistics bring the eval loss back to that of train mode."""
        return self.recalibrated is not None and self.recalibrated < CURED * max(self.train, 1e-12)


def batch_norms(model: ModelProfile) -> tuple[LayerProfile, ...]:
    """BatchNorm layers in the order of the forward pass."""
    return tuple(layer for layer in model.layers if is_batch_norm(layer))


def is_batch_norm(layer: LayerProfile) -> bool:
    """By class name, as every BatchNorm of torch has it."""
    return "BatchNorm" in layer.type


def gaps(curves: Curves) -> tuple[Gap, ...]:
    """The gap of each of our runs in which it was measured."""
    return tuple(gap for run in user_runs.ours(curves) if (gap := _gap(run)) is not None)


def apart(curves: Curves | None) -> Gap | None:
    """The middle one of the gaps when they are apart in enough seeds; None when they are not, or nobody looked."""
    if curves is None or not any(run.loop == "ours" for run in curves.runs):
        return None
    found = gaps(curves)
    if not user_runs.enough(gap.apart for gap in found):
        return None
    wide = sorted((gap for gap in found if gap.apart), key=lambda gap: gap.ratio)
    return wide[len(wide) // 2]


def _gap(run: CurveRun) -> Gap | None:
    train, evaluated = run.train_mode_loss, run.eval_mode_loss
    if train is None or evaluated is None or not is_finite(train):
        return None
    start = run.initial_loss if run.initial_loss is not None and is_finite(run.initial_loss) else train
    wide = not is_finite(evaluated) or (
        evaluated > APART * max(train, 0.0) and evaluated - train > NOT_NOTHING * abs(start)
    )
    return Gap(train, evaluated, run.recalibrated_loss, wide)
