"""Are labels wrong: do equal inputs contradict one another, or training rows what is learned from the others?"""

from collections.abc import Iterator
from math import sqrt

from diagnoser.evidence.preflight import Assumptions, Baselines, DataProfile
from diagnoser.evidence.steps import Overfit
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import JsonValue
from diagnoser.spec.fields import Task, TrainingSpec
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Training labels are wrong in part",
    why="A function gives one answer to one question: wrong and contradicting labels put a floor under every loss.",
    since="0.1",
    references=("Northcutt et al. 2021, Confident learning: estimating uncertainty in dataset labels",),
)
CONTRADICTING = 0.01  # share of training rows
REPEATS_BY_CHANCE = 0.1  # share of equal rows when columns are permuted: inputs with few values, ambiguous by nature
HARDER = 0.1  # of accuracy: unseen training rows below validation rows; 0.05 was the most on 44 healthy programs
SIGMAS = 5.0  # standard errors of that difference
SAME_CLASSES = 0.1  # total variation distance between the classes' shares in both splits
SHARES = ("accuracy", "balanced_accuracy")
SMOOTHING = 0.1  # the usual share (Szegedy et al. 2016)


def check(
    *,
    spec: TrainingSpec,
    data: DataProfile,
    assumptions: Assumptions,
    baselines: Baselines | None,
    overfit: Overfit | None,
) -> Iterator[Finding | Passed]:
    if assumptions.task is Task.LANGUAGE_MODEL or data.input_kind == "tokens":
        raise NotApplicable("text is ambiguous by nature")
    if data.targets.kind not in {"class", "binary", "multilabel"}:
        raise NotApplicable("the targets are no labels")
    share = data.contradiction_share
    observed = f"{share:.1%} of the training rows share their input with another label"
    expected = f"at most {CONTRADICTING:.0%}"
    if share <= CONTRADICTING:
        harder = _harder(data, baselines) if baselines is not None else None
        yield Passed(observed=observed, expected=expected) if harder is None else _wrong(*harder, spec, assumptions)
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


def _harder(data: DataProfile, baselines: Baselines) -> tuple[float, float] | None:
    """What a simple model scores on validation rows and on training rows kept from it, where the first are far easier.

    A control: the same model and the same kind of rows. Augmented rows, or other classes, would be harder by design.
    """
    scores = [score.validation for score in baselines.scores if score.name in {"linear", "knn"}]
    held_out = baselines.held_out_training
    if not scores or held_out is None or baselines.metric not in SHARES or data.training_rows_drawn is not False:
        return None
    gap = max(scores) - held_out
    if gap <= max(HARDER, SIGMAS * sqrt(2) * baselines.standard_error):
        return None
    left, right = data.targets.counts, data.targets.validation_counts
    if len(left) != len(right) or not sum(left) or not sum(right):
        return None
    apart = sum(abs(a / sum(left) - b / sum(right)) for a, b in zip(left, right, strict=True)) / 2
    return (max(scores), held_out) if apart <= SAME_CLASSES else None


def _wrong(validation: float, held_out: float, spec: TrainingSpec, assumptions: Assumptions) -> Finding:
    return Finding(
        title=f"Training labels are wrong in part: {held_out:.0%} of unseen training rows can be told, "
        f"{validation:.0%} of validation",
        message=f"A simple model is right on {validation:.1%} of the validation rows, and on {held_out:.1%} of the "
        "training rows that were kept from it. Rows of one kind are equally hard, so the labels of training are "
        "noisier than those of validation.",
        severity=Severity.WARNING,
        confidence=Confidence.MEDIUM,  # a control; harder rows by intent would look the same
        observed=f"{held_out:.1%} of held-out training rows, {validation:.1%} of validation",
        expected=f"a difference of at most {HARDER:.0%}",
        evidence=("/steps/preflight/baselines/value/scores", "/steps/preflight/baselines/value/held_out_training"),
        fixes=(
            Fix(
                title="Review the labels that a model trained on the other rows would not give",
                advice="`sklearn.model_selection.cross_val_predict` with `method='predict_proba'`; look at the rows "
                "whose own label has the smallest share",
            ),
            *_smoothing(spec, assumptions),
        ),
        explains=("overfitting", "underfitting", "loss-plateaus", "small-set-not-memorised"),
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
