"""How is a warm-up of the learning rate written into a spec? As the rule on a missing one writes it: tried once."""

from diagnoser.findings import Fix
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec

SHARE = 0.05  # of the run, the usual length of a warm-up


def fixes(spec: TrainingSpec) -> tuple[Fix, ...]:
    """The fix, where the learning rate is not warmed up yet."""
    scheduler = spec.scheduler
    if scheduler is not None and (scheduler.warmup > 0 or "cycle" in scheduler.name.lower()):
        return ()
    warm: dict[str, JsonValue] = {"scheduler.warmup": SHARE}
    if scheduler is None:  # a constant rate behind the warm-up, so that nothing else changes
        warm = {"scheduler": {"name": "ConstantLR", "args": {"factor": 1.0, "total_iters": 1}, "warmup": SHARE}}
    return (Fix(title=f"Warm the learning rate up over the first {SHARE:.0%} of the run", patch=warm),)
