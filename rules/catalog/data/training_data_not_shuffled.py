"""Do the training batches come in an order that the labels can be told from?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, DataProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import Task
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Training data are not shuffled",
    why="Batches of one class pull the weights to that class, then to the next: steps no longer average out.",
    since="0.1",
    references=("Bengio 2012, Practical recommendations for gradient-based training of deep architectures",),
)
SPREAD = 0.5  # of the labels' spread within a batch when permuted
SMALLEST_BATCH = 8  # within fewer rows labels spread little by chance
PERIODIC = 0.5  # autocorrelation of the batch loss at a lag of one epoch
PERIOD_EXPLAINS = ("loss-oscillates", "loss-spikes", "seed-dependent-training", "batch-norm-statistics-stale")
FIX = Fix(title="Shuffle the training rows", patch={"data.shuffle": True})


def check(data: DataProfile, assumptions: Assumptions, curves: Curves | None) -> Iterator[Finding | Passed]:
    batch, rows = assumptions.input_shape[0], data.train.rows
    if assumptions.task is Task.LANGUAGE_MODEL:
        raise NotApplicable("each batch holds text from many places by design")
    if batch >= rows:
        raise NotApplicable("one batch holds the whole training set")
    spread = data.batch_label_spread
    if spread is None:
        raise Unjudged("the spread of the targets within a batch was not measured")
    if batch < SMALLEST_BATCH:
        raise Unjudged(f"with {batch} rows in a batch, order cannot be told from chance")
    observed = f"targets within a batch spread {spread:.2f} times as much as in random order"
    expected = f"near 1, at least {SPREAD:g}"
    if spread >= SPREAD and not (data.declared_shuffle and data.same_order_every_epoch):
        yield Passed(observed=observed, expected=expected)
        return
    periodic = curves is not None and _periodic(curves)
    evidence = ("/steps/preflight/data/value/batch_label_spread", "/steps/preflight/data/value/same_order_every_epoch")
    if spread < SPREAD:
        stream = data.input_kind == "sequence" and not periodic
        yield Finding(
            title=f"Batches hold {spread:.0%} of the label mix of shuffled data",
            message=f"Within a batch the targets spread {spread:.2f} times as much as they would in random order: "
            "the rows come sorted." + (" The loss repeats itself every epoch." if periodic else ""),
            severity=Severity.INFO if stream else Severity.WARNING,  # order may be the data
            confidence=Confidence.LOW if stream else Confidence.HIGH,  # the permuted labels are the control
            observed=observed,
            expected=expected,
            evidence=evidence,
            fixes=(FIX,),
            explains=PERIOD_EXPLAINS if periodic else (),
            key="data.shuffle",
        )
        return
    yield Finding(
        title="Every epoch comes in the same order",
        message="Shuffling is on, yet two epochs of the training data came in one and the same order.",
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,  # the order is random, only always the same: little is lost
        observed="two epochs in the same order",
        expected="a new order each epoch",
        evidence=evidence,
        fixes=(
            Fix(title="Draw a new order each epoch", advice="do not make a new generator with a fixed seed per epoch"),
        ),
        key="data.shuffle",
    )


def _periodic(curves: Curves) -> bool:
    """Whether in most runs the batch loss repeats itself after one epoch."""
    lags = [run.reading.lag_one_epoch_autocorrelation for run in curves.runs if run.reading is not None]
    return 2 * sum(lag is not None and lag > PERIODIC for lag in lags) > len(curves.runs)
