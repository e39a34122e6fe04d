"""Does the same seed give the same run?"""

from collections.abc import Iterator
from math import isfinite

from diagnoser.evidence.preflight import Repeatability, SystemProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The same seed gives another run",
    why="What cannot be repeated cannot be compared: a change for the better may be a change of luck.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/notes/randomness.html",),
)
APART = 1e-4  # relative difference of the losses of two runs of 20 steps


def check(repeated: Repeatability, system: SystemProfile | None) -> Iterator[Finding | Passed]:
    difference = repeated.largest_relative_difference
    observed = f"losses of two runs of 20 steps with one seed differ by {difference:.2g}"
    expected = f"at most {APART:g}"
    if repeated.labels_depend_on_hash_seed:
        yield Finding(
            title="Labels change from one process to the next",
            message="Two processes with different PYTHONHASHSEED number the labels differently: "
            "the map from names to numbers is built from a set.",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed="labels differ between processes",
            expected="one numbering, always",
            evidence=("/steps/preflight/repeatability/value/labels_depend_on_hash_seed",),
            fixes=(Fix(title="Sort before you number", advice="`{name: i for i, name in enumerate(sorted(names))}`"),),
            key="data",
            subject="labels",
        )
        return
    if not isfinite(difference):
        raise Unjudged("the losses of the repeated runs are not finite")
    if difference <= APART:
        yield Passed(observed=observed, expected=expected)
        return
    on_gpu = system is not None and system.device != "cpu"
    yield Finding(
        title=f"The same seed gives losses that differ by {difference:.2g}",
        message=f"Two runs of 20 steps with the same seed have losses that differ by {difference:.2g} (relative)."
        + (" On a GPU part of it may be additions in another order." if on_gpu else " Something draws from elsewhere."),
        severity=Severity.INFO,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/repeatability/value/largest_relative_difference",),
        fixes=(
            Fix(
                title="Draw from seeded generators",
                advice="no `default_rng()` or `Random()` without a seed in model, data and step; no order from a set",
            ),
        ),
        key="seed",
    )
