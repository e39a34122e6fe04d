"""Do worker processes draw different random numbers?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Workers draw the same random numbers",
    why="Workers that share a seed make the same random changes to different rows.",
    since="0.1",
    references=(
        "https://docs.pytorch.org/docs/stable/notes/faq.html#my-data-loader-workers-return-identical-random-numbers",
    ),
)
SEVERAL = 2


def check(data: DataProfile) -> Iterator[Finding | Passed]:
    if data.workers is None or data.workers < SEVERAL:
        raise NotApplicable("training rows are not read by several workers")
    if data.workers_repeat is None:
        raise Unjudged("what two workers draw could not be told")
    expected = "each worker draws random numbers of its own"
    if not data.workers_repeat:
        yield Passed(observed="two workers do not repeat each other", expected=expected)
        return
    yield Finding(
        message=f"Two workers were given the same rows four times. What is random in them differs from one read to the "
        f"next, and is the same in both workers: the {data.workers} workers share one seed, and make "
        f"each random change {data.workers} times, to different rows.",
        severity=Severity.WARNING,
        confidence=Confidence.HIGH,  # by definition: equal bytes
        by_definition=True,
        observed="the same rows are augmented alike in two workers",
        expected=expected,
        evidence=("/steps/preflight/data/value/workers_repeat", "/steps/preflight/data/value/workers"),
        fixes=(
            Fix(
                title="Give each worker a generator of its own",
                advice="make the data set's generator in `worker_init_fn`, from "
                "`torch.utils.data.get_worker_info().seed`, or draw from torch's global generator",
            ),
        ),
        explains=("overfitting",),
        key="data.workers",
        subject="training rows",
    )
