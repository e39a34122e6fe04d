"""Do equal inputs carry different labels?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, DataProfile
from diagnoser.evidence.steps import Overfit
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import JsonValue
from diagnoser.spec.fields import Task, TrainingSpec
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Equal inputs carry different labels",
    why="A function gives one answer to one question: contradicting labels put a floor under every loss.",
    since="0.1",
    references=("Northcutt et al. 2021, Confident learning: estimating uncertainty in dataset labels",),
)
CONTRADICTING = 0.01  # share of training rows
REPEATS_BY_CHANCE = 0.1  # share of equal rows when columns are permuted: inputs with few values, ambiguous by nature
SMOOTHING = 0.1  # the usual share (Szegedy et al. 2016)


def check(
    spec: TrainingSpec, data: DataProfile, assumptions: Assumptions, overfit: Overfit | None
) -> Iterator[Finding | Passed]:
    if assumptions.task is Task.LANGUAGE_MODEL or data.input_kind == "tokens":
        raise NotApplicable("text is ambiguous by nature")
    if data.targets.kind not in {"class", "binary", "multilabel"}:
        raise NotApplicable("the targets are no labels")
    share = data.contradiction_share
    observed = f"{share:.1%} of the training rows share their input with another label"
    expected = f"at most {CONTRADICTING:.0%}"
    if share <= CONTRADICTING:
        yield Passed(observed=observed, expected=expected)
        return
    ambiguous = data.duplicate_share_by_chance >= REPEATS_BY_CHANCE
    explains = () if ambiguous else ("overfitting", "underfitting", "loss-plateaus")
    if overfit is not None and overfit.contradictions > 0:
        explains = (*explains, "small-set-not-memorised")
    rows = round(share * data.train.rows_read)
    yield Finding(
        title=f"{share:.1%} of the training rows contradict another one",
        message=f"{rows:,} training rows have exactly the same input as a row with another label"
        + (
            "; inputs with so few different values repeat by chance, so this may be the nature of the task."
            if ambiguous
            else ". No model can get both right."
        ),
        severity=Severity.INFO if ambiguous else Severity.WARNING,
        confidence=Confidence.MEDIUM if ambiguous else Confidence.HIGH,  # a count
        by_definition=not ambiguous,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/data/value/contradiction_share",),
        fixes=(
            Fix(title="Review the contradicting rows", advice="group rows by input, list those with several labels"),
            *_smoothing(spec, assumptions),
        ),
        explains=explains,
        key="data",
        subject="training labels",
    )


def _smoothing(spec: TrainingSpec, assumptions: Assumptions) -> tuple[Fix, ...]:
    """Where the spec names cross-entropy, or the task does, and it is not smoothed yet."""
    title = f"Smooth the labels by {SMOOTHING:g}"
    if spec.step is not None or assumptions.loss != "cross_entropy":
        return ()
    if spec.loss is None:
        patch: dict[str, JsonValue] = {"loss": {"name": "cross_entropy", "args": {"label_smoothing": SMOOTHING}}}
        return (Fix(title=title, patch=patch),)
    if spec.loss.name != "cross_entropy" or spec.loss.args.get("label_smoothing"):
        return ()
    return (Fix(title=title, patch={"loss.args.label_smoothing": SMOOTHING}),)
