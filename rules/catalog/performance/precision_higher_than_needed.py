"""Does the device spend its time on digits that training does not need?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import SystemProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from rules import speeds
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The precision is higher than needed",
    why="Training needs the direction of a gradient, not its last digits; accelerators are built for fewer of them.",
    since="0.1",
    references=("https://arxiv.org/abs/1905.12322", "https://docs.pytorch.org/docs/stable/amp.html"),
)
FASTER = 1.3  # times the rows in a second (CATALOGUE)
HALF = Fix(title="Train in bfloat16", patch={"precision": "bfloat16"})


def check(spec: TrainingSpec, system: SystemProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    seen = speeds.measured(system)
    evidence = ("/steps/preflight/system/value/throughput", "/spec/precision")
    if seen.float64_share > 0:
        yield Finding(
            title=f"{seen.float64_share:.0%} of the weights are float64",
            message=f"{seen.float64_share:.0%} of the weights are float64, which {system.device} computes at a small "
            "part of its speed in float32.",
            severity=Severity.INFO,
            confidence=Confidence.MEDIUM,  # seen; whether the work needs it only the reader can tell
            observed=f"{seen.float64_share:.0%} of the weights in float64",
            expected="none, unless the work needs it",
            evidence=evidence,
            fixes=(Fix(title="Train in float32", advice="`model.float()`, and inputs as `x.float()`"),),
            key="model",
        )
        return
    if spec.precision != "float32":
        raise NotApplicable(f"the run is in {spec.precision}")
    found = speeds.gains(seen.bfloat16, seen.as_given)
    if not found:
        raise Unjudged("a step in bfloat16 could not be timed")
    observed = f"{speeds.usual(found):.2f} times the rows in a second in bfloat16"
    expected = f"less than {FASTER:g} times"
    if not speeds.faster(seen.bfloat16, seen.as_given, times=FASTER):
        yield Passed(observed=observed, expected=expected)
        return
    if speeds.clearly_worse(treatments, HALF):
        yield Passed(observed=f"{observed}; it was tried and is clearly worse", expected=expected)
        return
    yield Finding(
        title=f"bfloat16 would be {speeds.usual(found):.1f} times as fast",
        message=f"On {system.device} the same step in bfloat16 gets through {speeds.usual(found):.2f} times the rows "
        f"in a second.{speeds.tried(treatments, HALF)}",
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,  # a control, timed in several rounds
        observed=observed,
        expected=expected,
        evidence=evidence,
        fixes=(HALF,),
        key="precision",
    )
