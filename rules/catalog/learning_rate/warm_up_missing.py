"""Would a warm-up of the learning rate spare the first steps?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile, OptimizerProfile
from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The learning rate is not warmed up",
    why="Adam's first steps rest on a handful of gradients; at the full rate they can throw attention far off.",
    since="0.1",
    references=("https://arxiv.org/abs/1908.03265", "https://arxiv.org/abs/1706.02677"),
)
FIRST = 0.05  # of the run
DOUBLES = 2.0  # times the initial loss
LARGE_STEP = 0.1  # update ratio; the very first step reaches 0.14 in healthy small nets and is not counted
LARGE_BATCH = 1024
SHARE = 0.05  # of the run, the usual length of a warm-up


def check(
    spec: TrainingSpec, model: ModelProfile, optimizer: OptimizerProfile, curves: Curves, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    batch = spec.data.batch_size * spec.accumulate_batches
    adaptive = "adam" in optimizer.name.lower()
    if not ((adaptive and model.attention) or batch >= LARGE_BATCH):
        raise NotApplicable("neither attention under Adam nor very large batches")
    scheduler = spec.scheduler
    if scheduler is not None and (scheduler.warmup > 0 or "cycle" in scheduler.name.lower()):
        raise NotApplicable("the learning rate is warmed up")
    runs = user_runs.ours(curves)
    rises = [_first_rise(run, curves.planned_updates) for run in runs]
    steps = [_first_steps(run, curves.planned_updates) for run in runs]
    observed = (
        f"in the first {FIRST:.0%} of the run the loss reaches {max(rises, default=0.0):.2g} times its start, "
        f"updates reach {max(steps, default=0.0):.2g} of the weights"
    )
    expected = f"a loss below {DOUBLES:g} times its start, updates below {LARGE_STEP:g} of the weights"
    if not user_runs.enough(r > DOUBLES or s > LARGE_STEP for r, s in zip(rises, steps, strict=True)):
        yield Passed(observed=observed, expected=expected)
        return
    warm: dict[str, JsonValue] = {"scheduler.warmup": SHARE}
    if scheduler is None:  # a constant rate behind the warm-up, so that nothing else changes
        warm = {"scheduler": {"name": "ConstantLR", "args": {"factor": 1.0, "total_iters": 1}, "warmup": SHARE}}
    fix = Fix(title=f"Warm the learning rate up over the first {SHARE:.0%} of the run", patch=warm)
    claim = claims.claim(treatments, fix)
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; a warm-up was tried and is not better", expected=expected)
        return
    yield Finding(
        message=f"There is no warm-up, and {observed}.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs/0/smoothed", "/steps/curves/value/runs/0/layers"),
        fixes=(fix,),
        explains=("loss-spikes", "loss-diverges", "seed-dependent-training") if claim.verified else (),
        key="scheduler",
    )


def _first_rise(run: CurveRun, planned: int) -> float:
    """Highest loss of the first steps, smoothed, over the loss at the start."""
    if not run.initial_loss or run.initial_loss <= 0:
        return 0.0
    first = run.smoothed[: max(1, round(FIRST * planned / max(1, run.stride)))]
    return max(first, default=0.0) / run.initial_loss


def _first_steps(run: CurveRun, planned: int) -> float:
    """Largest update ratio in the first steps, the very first one left out."""
    return max(
        (
            ratio
            for layer in run.layers
            for update, ratio in zip(layer.updates, layer.update_ratio, strict=False)
            if 1 < update <= FIRST * planned + 1  # looks are whole updates apart
        ),
        default=0.0,
    )
