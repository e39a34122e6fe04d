"""Does the loss leave out a class?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, DataProfile, LossProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import JsonValue
from diagnoser.spec.fields import Task, TrainingSpec
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The loss leaves out a class",
    why="What the loss does not count the model does not learn, however often it occurs.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html",),
)
IGNORES_NOTHING = -100  # torch's default


def check(
    spec: TrainingSpec, assumptions: Assumptions, data: DataProfile, loss: LossProfile
) -> Iterator[Finding | Passed]:
    if assumptions.task is Task.LANGUAGE_MODEL or data.targets.kind == "tokens":
        raise NotApplicable("language models leave out padding and unmasked positions by design")
    if data.targets.kind not in {"class", "binary"}:
        raise NotApplicable("the targets are no class labels")
    if loss.because_unjudged is not None:
        raise Unjudged(loss.because_unjudged)
    counts = data.targets.counts
    weightless = [label for label in loss.zero_weight_classes if label < len(counts) and counts[label]]
    expected = "every class that occurs counts"
    if loss.ignored_class is None and not weightless:
        yield Passed(observed="no class is ignored or has weight 0", expected=expected)
        return
    lost = dict.fromkeys([] if loss.ignored_class is None else [loss.ignored_class], "`ignore_index`")
    lost |= dict.fromkeys(weightless, "a weight of 0")
    for label, how in lost.items():
        rows = f", {counts[label]:,} training rows," if 0 <= label < len(counts) else ""
        key = "loss.args.ignore_index" if "index" in how else "loss.args.weight"
        yield Finding(
            title=f"Class {label} does not count in the loss",
            message=f"Class {label}{rows} has {how} in the loss, so the model is never taught to recognise it.",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,  # by definition
            by_definition=True,
            observed=f"class {label}: {how}",
            expected=expected,
            evidence=(
                "/steps/preflight/loss/value/" + ("ignored_class" if "index" in how else "zero_weight_classes"),
                "/steps/preflight/data/value/targets/counts",
            ),
            fixes=(
                Fix(
                    title=f"Let class {label} count",
                    patch=_unmasked(spec, key),
                    advice=f"change `{key}`: -100 ignores nothing"
                    if "index" in how
                    else f"give class {label} a positive weight in `{key}`",
                ),
            ),
            explains=("nothing-learned", "small-set-not-memorised", "underfitting"),
            key=key,
            subject=f"class {label}",
        )


def _unmasked(spec: TrainingSpec, key: str) -> dict[str, JsonValue]:
    """The change of the spec, where the setting stands there: nothing ignored, or no class without weight."""
    name = key.rpartition(".")[2]
    given = spec.loss.args.get(name) if spec.loss is not None else None
    if name == "ignore_index" and isinstance(given, int):
        return {key: IGNORES_NOTHING}
    if name == "weight" and isinstance(given, list | tuple):
        usual = max((value for value in given if isinstance(value, int | float)), default=0.0)
        return {key: [value or usual or 1.0 for value in given]}
    return {}
