"""Does a batch of this size fit into memory?"""

import math
from collections.abc import Iterator

from diagnoser.evidence.preflight import SystemProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Outcome
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="The batch does not fit into memory",
    why="The run ends at its first batch, or at its first evaluation.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management",),
)


def check(spec: TrainingSpec, system: SystemProfile, curves: Curves | None) -> Iterator[Finding | Passed]:
    batch = spec.data.batch_size
    ran_out = curves is not None and any(run.outcome is Outcome.OUT_OF_MEMORY for run in curves.runs)
    expected = f"a full step with {batch} rows, its optimizer and an evaluation fit"
    fits = system.largest_batch
    if fits is None and not ran_out:
        used = f"{system.memory_mb:,.0f} MB at the peak" if system.memory_mb is not None else f"{batch} rows fit"
        yield Passed(observed=used, expected=expected)
        return
    free = f" ({system.memory_available_mb:,.0f} MB were free)" if system.memory_available_mb is not None else ""
    largest = fits if fits is not None and 0 < fits < batch else None
    if largest is not None:
        accumulate = spec.accumulate_batches * math.ceil(batch / largest)
        fix = Fix(
            title=f"Batches of {largest}, {accumulate} of them accumulated for one update",
            patch={"data.batch_size": largest, "accumulate_batches": accumulate},
        )
    else:
        fix = Fix(title="Make room", advice="a smaller model, `precision: bfloat16`, or a device with more memory")
    yield Finding(
        title=f"A batch of {batch} does not fit into memory",
        message=f"Training with {batch} rows ran out of memory on {system.device}{free}."
        + (f" {largest} rows fit." if largest is not None else ""),
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=f"{largest} rows fit" if largest is not None else "out of memory",
        expected=expected,
        evidence=("/steps/preflight/system/value/largest_batch", "/steps/preflight/system/value/memory_available_mb"),
        fixes=(fix,),
        key="data.batch_size",
    )
