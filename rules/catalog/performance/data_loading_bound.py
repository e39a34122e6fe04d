"""Does training wait for data?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, SystemProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="Training waits for data",
    why="While the next batch is being made the model stands still: paid for, and idle.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/data.html#multi-process-data-loading",),
)
WAITING = 0.3  # share of a step
FASTER = 1.3  # when one cached batch is replayed
WORTH_SAYING = 5.0  # seconds saved over the run
WORTH_A_WARNING = 60.0  # seconds saved
MUCH_FASTER = 3.0  # with at least WORTH_SAYING seconds saved: a warning too
WORKERS = 4


def check(spec: TrainingSpec, system: SystemProfile, assumptions: Assumptions) -> Iterator[Finding | Passed]:
    observed = f"{system.data_share:.0%} of a step is spent waiting for the next batch"
    expected = f"at most {WAITING:.0%}"
    if system.data_share <= WAITING:
        yield Passed(observed=observed, expected=expected)
        return
    speedup = system.cached_speedup
    if speedup is None:
        raise Unjudged("a step on a cached batch could not be timed")
    run = system.seconds_per_update * assumptions.total_updates
    saved = run * (1 - 1 / speedup) if speedup > 0 else 0.0
    if speedup < FASTER or saved < WORTH_SAYING:
        yield Passed(observed=f"{observed}; without waiting the run is {saved:.1f} s shorter", expected=expected)
        return
    large = saved > WORTH_A_WARNING or speedup >= MUCH_FASTER
    workers = (
        Fix(title=f"Load with {WORKERS} workers", patch={"data.workers": WORKERS})
        if spec.data.workers == 0
        else Fix(title="Make a row cheaper", advice="cache decoded rows, move work out of `__getitem__`")
    )
    yield Finding(
        title=f"{system.data_share:.0%} of each step is waiting for data",
        message=f"{observed[0].upper()}{observed[1:]}. On a cached batch it is {speedup:.1f} times faster: "
        f"the whole run could be {saved:,.0f} s shorter, of {run:,.0f} s.",
        severity=Severity.WARNING if large else Severity.INFO,
        confidence=Confidence.MEDIUM,  # a control, timed once
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/system/value/data_share", "/steps/preflight/system/value/cached_speedup"),
        fixes=(workers,),
        key="data.workers",
    )
