"""Does BatchNorm have enough values to take a mean and a variance of?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, DataProfile, LayerProfile, ModelProfile
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules import claims, norms
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="BatchNorm sees too few values",
    why="A mean and a variance of a handful of values are mostly noise, and in eval mode other ones take their place.",
    since="0.1",
    references=("https://arxiv.org/abs/1803.08494",),
)
FEW = 8  # values per channel in train mode (CATALOGUE)
SMALL_BATCH = 4  # rows: suspected when eval mode and train mode disagree after training
TINY_BATCH = 2  # rows: whatever the positions, which are hardly independent values in one picture
LARGER = 4  # times the batch
LEAST_BATCH = 32
RAISES = "more than 1 value per channel"  # torch's words
GROUPS = Fix(title="Use GroupNorm, which needs no batch", transforms=(Transform.GROUP_NORM,))
DROP = Fix(title="Leave out the last batch", transforms=(Transform.DROP_LAST_BATCH,))
EFFECTS = ("batch-norm-statistics-stale", "loss-spikes", "small-set-not-memorised", "underfitting")


def check(
    *,
    spec: TrainingSpec,
    model: ModelProfile,
    assumptions: Assumptions | None,
    data: DataProfile | None,
    curves: Curves | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    layers = [layer for layer in norms.batch_norms(model) if layer.training_mode]
    if not layers:
        raise NotApplicable("the model has no BatchNorm in train mode")
    raised = _raises(spec, layers, assumptions, data, curves)
    if raised:
        yield Finding(
            title="BatchNorm fails on a batch of one row",
            message=raised,
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,  # torch raises
            observed="a batch of one row",
            expected="at least 2 rows in every batch",
            evidence=("/steps/preflight/model/value/layers", "/spec/data/batch_size"),
            fixes=(DROP, GROUPS),
            explains=EFFECTS,
            key="data.batch_size",
            by_definition=True,
        )
        return
    counted = [layer for layer in layers if layer.values_per_channel is not None]
    if not counted:
        raise Unjudged("how many values each channel gets was not measured")
    least = min(counted, key=lambda layer: layer.values_per_channel or 0)
    values, batch = least.values_per_channel or 0, spec.data.batch_size
    rows = "one row" if batch == 1 else f"{batch} rows"
    gap = norms.apart(curves)
    observed, expected = f"{values} values per channel in `{least.path}`", f"more than {FEW}"
    if values > FEW and batch > (TINY_BATCH if gap is None else SMALL_BATCH):
        yield Passed(observed=observed, expected=expected)
        return
    larger = Fix(title=f"Use batches of {_larger(batch)}", patch={"data.batch_size": _larger(batch)})
    claim = claims.claim(treatments, larger, GROUPS)
    if claim.state is FixState.REFUTED and gap is None:
        yield Passed(
            observed=f"{observed}; larger batches or GroupNorm were tried and are not better", expected=expected
        )
        return
    severity, confidence = claim.severity, claim.confidence
    if gap is not None and not claim.verified:
        severity, confidence = Severity.WARNING, Confidence.MEDIUM
    yield Finding(
        title=f"BatchNorm works on {values} values per channel"
        if values <= FEW
        else f"BatchNorm sees {rows} at a time",
        message=f"With batches of {rows} `{least.path}` takes mean and variance of {values} values per channel."
        + (
            f" On one and the same batch the loss is {gap.ratio:.2g} times higher with the running statistics."
            if gap is not None
            else ""
        )
        + claim.words,
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/model/value/layers",
            *(("/steps/curves/value/runs/0/eval_mode_loss",) if gap is not None else ()),
        ),
        fixes=(larger, GROUPS),
        explains=EFFECTS if severity is Severity.WARNING else (),
        key="data.batch_size",
        subject=least.path,
    )


def _larger(batch: int) -> int:
    return max(LEAST_BATCH, LARGER * batch)


def _raises(
    spec: TrainingSpec,
    layers: list[LayerProfile],
    assumptions: Assumptions | None,
    data: DataProfile | None,
    curves: Curves | None,
) -> str:
    """Why a batch of one row fails: it was seen to, or it must, in a layer with one value a row. Empty: it does not."""
    for run in curves.runs if curves is not None else ():
        if run.error is not None and RAISES in run.error.message:
            return f"Training stopped after {run.updates:,} updates: {run.error.message}"
    if assumptions is None or data is None or spec.accumulate_batches > 1:
        return ""
    batch, rows = spec.data.batch_size, data.train.rows
    single = next((layer for layer in layers if layer.values_per_channel == batch), None)
    kept = assumptions.updates_per_epoch == rows // batch + 1  # the last, partial batch is trained on
    if single is None or rows % batch != 1 or not kept or batch == 1:
        return ""
    return (
        f"{rows:,} training rows in batches of {batch} leave one row for the last batch, and `{single.path}` cannot "
        "take the variance of one value: PyTorch raises an error there."
    )
