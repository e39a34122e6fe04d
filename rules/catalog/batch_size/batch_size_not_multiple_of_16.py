"""Does the batch size leave the blocks of half-precision arithmetic half empty?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import SystemProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from rules import speeds
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The batch size is no multiple of 16",
    why="Half precision is multiplied in blocks; a batch that ends in the middle of one pays for the whole.",
    since="0.1",
    references=("https://docs.nvidia.com/deeplearning/performance/dl-performance-matrix-multiplication/index.html",),
)
BLOCK = 16
FASTER = 1.05  # times the rows in a second: measured, never assumed (CATALOGUE)
NEAR = 1 / 3  # of the batch size: a change beyond is another question (device-under-filled)


def check(spec: TrainingSpec, system: SystemProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    seen = speeds.measured(system)
    batch = spec.data.batch_size
    if spec.precision == "float32":
        raise NotApplicable("the run is in float32, which is not multiplied in blocks of 16")
    if not seen.tensor_cores:
        raise NotApplicable("this device has no units of their own for half precision")
    expected = f"a multiple of {BLOCK}, or less than {FASTER - 1:.0%} gained by one"
    if batch % BLOCK == 0:
        yield Passed(observed=f"batches of {batch}", expected=expected)
        return
    other = seen.multiple_of_16
    if other is None:
        raise Unjudged("the nearest multiple of 16 was not timed")
    if abs(other.batch_size - batch) > NEAR * batch:
        raise NotApplicable(f"batches of {batch} are far from any multiple of {BLOCK}")
    found = speeds.gains(other, seen.as_given)
    if not found:
        raise Unjudged(f"a step with {other.batch_size} rows could not be timed")
    observed = f"{speeds.usual(found):.2f} times the rows in a second with batches of {other.batch_size}"
    fix = Fix(title=f"Batches of {other.batch_size}", patch={"data.batch_size": other.batch_size})
    if not speeds.faster(other, seen.as_given, times=FASTER):
        yield Passed(observed=observed, expected=expected)
        return
    if speeds.clearly_worse(treatments, fix):
        yield Passed(observed=f"{observed}; they were tried and are clearly worse", expected=expected)
        return
    yield Finding(
        title=f"Batches of {other.batch_size} are faster than those of {batch}",
        message=f"In {spec.precision} on {system.device} batches of {other.batch_size} get through "
        f"{speeds.usual(found):.2f} times the rows in a second.{speeds.tried(treatments, fix)}",
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,  # a control, timed in several rounds
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/system/value/throughput", "/spec/data/batch_size"),
        fixes=(fix,),
        key="data.batch_size",
    )
