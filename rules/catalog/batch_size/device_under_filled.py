"""Would the device do much more in a second with larger batches?"""

import math
from collections.abc import Iterator

from diagnoser.evidence.batch_size import Speed, Throughput
from diagnoser.evidence.preflight import Assumptions, DataProfile, OptimizerProfile, SystemProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec
from rules import speeds
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="The device is not filled",
    why="A step that is too small for the device costs nearly as much as one of twice the rows.",
    since="0.1",
    references=("https://arxiv.org/abs/1812.06162", "https://arxiv.org/abs/1706.02677"),
)
PAYS = 1.5  # times the rows in a second, with twice the rows in a batch (CATALOGUE)
STILL_PAYS = 1.1  # times, with twice the rows again
FEWEST_UPDATES = 50  # an epoch: fewer, and the run is short of updates instead (CATALOGUE)
BLOCK = 16
IN_PROPORTION = "SGD"  # its lr grows with the rows; of the others with their root


def check(
    *,
    spec: TrainingSpec,
    system: SystemProfile,
    assumptions: Assumptions,
    data: DataProfile,
    optimizer: OptimizerProfile | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    seen = speeds.measured(system)
    batch = spec.data.batch_size
    expected = f"less than {PAYS:g} times the rows in a second with twice the rows in a batch"
    twice = seen.larger[0] if seen.larger else None
    found = speeds.gains(twice, seen.as_given)
    if twice is None or not found:
        yield Passed(observed=f"no larger batch than {batch} could be timed", expected=expected)
        return
    observed = f"{speeds.usual(found):.2f} times the rows in a second with batches of {twice.batch_size}"
    room = data.train.rows // (FEWEST_UPDATES * spec.accumulate_batches)
    size = _largest_that_pays(seen, room=room)
    if not speeds.faster(twice, seen.as_given, times=PAYS) or size is None:
        small = f"; with more there are fewer than {FEWEST_UPDATES} updates an epoch" if room < twice.batch_size else ""
        yield Passed(observed=f"{observed}{small}", expected=expected)
        return
    fix = _fix(spec, size, lr=assumptions.effective_lr, optimizer=optimizer.name if optimizer is not None else "")
    if speeds.clearly_worse(treatments, fix):
        yield Passed(observed=f"{observed}; batches of {size} were tried and are clearly worse", expected=expected)
        return
    yield Finding(
        title=f"Batches of {batch} do not fill the device",
        message=f"On {system.device} a step with {twice.batch_size} rows gets through "
        f"{speeds.usual(found):.2f} times the rows in a second.{speeds.tried(treatments, fix)}",
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,  # a control, timed in several rounds
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/system/value/throughput", "/spec/data/batch_size"),
        fixes=(fix,),
        key="data.batch_size",
    )


def _largest_that_pays(seen: Throughput, *, room: int) -> int | None:
    """The largest multiple of 16 before the gain falls off, with enough updates left; None: there is no larger one."""
    best: Speed = seen.as_given
    for larger in seen.larger:
        found = speeds.gains(larger, best)
        if not found or speeds.usual(found) < STILL_PAYS or larger.batch_size > room:
            break
        best = larger
    size = best.batch_size // BLOCK * BLOCK or best.batch_size
    return size if size > seen.as_given.batch_size else None


def _fix(spec: TrainingSpec, size: int, *, lr: float, optimizer: str) -> Fix:
    """The larger batch: in place of accumulated ones where there are any, else at the lr that belongs to it."""
    factor = size / spec.data.batch_size
    if spec.accumulate_batches > 1 and spec.accumulate_batches % factor == 0:
        fewer = int(spec.accumulate_batches // factor)
        return Fix(
            title=f"Batches of {size}, {fewer} for one update",
            patch={"data.batch_size": size, "accumulate_batches": fewer},
        )
    higher = float(f"{lr * (factor if optimizer == IN_PROPORTION else math.sqrt(factor)):.2g}")
    patch: dict[str, JsonValue] = {"data.batch_size": size, "optimizer.lr": higher}
    return Fix(title=f"Batches of {size} at a learning rate of {higher:g}", patch=patch)
