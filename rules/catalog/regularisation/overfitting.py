"""Does the model learn its training rows by heart?"""

from collections.abc import Iterator
from math import ceil, sqrt

from diagnoser.evidence.preflight import DataProfile, ModelProfile
from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.records import is_finite
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules import claims, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The model overfits",
    why="What is learned by heart does not carry over: validation falls behind while training goes on improving.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#accuracy",),
)
GAP = 0.10  # training minus validation metric; healthy runs have up to 0.07 (CATALOGUE)
SURE = 3.0  # standard errors of the gap
WIDE, WIDE_SURE = 0.20, 5.0  # a gap so wide is worth a line without a falling metric
LOST = 0.02  # of the metric since its best
RISEN = 1.05  # times the lowest validation loss ...
FOR_EVALUATIONS = 3  # ... at each of the last so many
FEWEST_ROWS = 50  # of validation: below, five standard errors are more than a third of the scale
LEAST_EPOCHS = 1
DECAY = {"adamw": 0.05, "sgd": 1e-3}
DECAY_ELSE = 1e-4  # coupled decay inside Adam is much stronger than in AdamW
SMALLEST_PICTURE = 8  # pixels a side; below, a shift by an eighth is less than one
MOST_CHANNELS = 4  # of a picture: grey, RGB or RGBA
AUGMENTATIONS = (
    Fix(title="Shift training pictures by up to an eighth of their side", transforms=(Transform.SHIFT_PICTURES,)),
    Fix(title="Flip half of the training pictures left to right", transforms=(Transform.FLIP_PICTURES,)),
    Fix(title="Turn training pictures by up to 15 degrees", transforms=(Transform.ROTATE_PICTURES,)),
)
DROPOUT = Fix(title="Drop half of what the last layer is given", transforms=(Transform.INSERT_DROPOUT,))


def check(
    spec: TrainingSpec,
    curves: Curves,
    data: DataProfile | None,
    model: ModelProfile | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    runs = user_runs.ours(curves)
    if not user_runs.is_share(curves):
        raise NotApplicable(f"the metric, {curves.metric}, has no scale on which a gap could be judged")
    if curves.validation_rows < FEWEST_ROWS:
        raise Unjudged(f"cannot be judged with {curves.validation_rows} validation rows")
    gaps = [run.reading.final_gap for run in runs if run.reading is not None and run.reading.final_gap is not None]
    if not gaps:
        raise Unjudged("no training metric stands beside the validation metric")
    noise = sqrt(2) * (curves.standard_error or 0.0)  # both ends of the gap are measured on so many rows
    gap = user_runs.middle(gaps) or 0.0
    observed, expected = f"training {gap:.1%} above validation", f"at most {GAP:.0%}, or a validation that holds"
    worse = [
        run.reading is not None
        and (run.reading.final_gap or 0.0) > max(GAP, SURE * noise)
        and (_metric_fell(run, noise) or _loss_rose(run))
        for run in runs
    ]
    past = user_runs.enough(worse)
    wide = user_runs.enough(one > max(WIDE, WIDE_SURE * noise) for one in gaps)
    if not (past or wide):
        yield Passed(observed=observed, expected=expected)
        return
    onset = user_runs.middle(run.reading.onset_of_overfitting for run in runs if run.reading is not None)
    fixes = (*_fixes(spec, onset), *_augmentations(spec, data), *_dropout(model))
    claim = claims.claim(treatments, *fixes)
    if claim.state is FixState.REFUTED and not past:
        yield Passed(observed=f"{observed}; regularisation was tried and is not better", expected=expected)
        return
    severity, confidence = claim.severity, claim.confidence
    if past and not claim.verified:
        severity, confidence = Severity.WARNING, Confidence.MEDIUM
    since = f" from epoch {onset:.3g} on" if onset is not None else ""
    what = "while validation gets worse" if past else "with both curves flat"
    yield Finding(
        title=f"The model overfits{since}",
        message=f"At the end the {curves.metric} is {gap:.1%} higher on training rows than on validation, "
        f"{what}{since}.{claim.words}",
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs", "/steps/curves/value/standard_error"),
        fixes=(
            *fixes,
            Fix(title="More data or less freedom", advice="augmentation, dropout 0.2-0.5, or a smaller model"),
        ),
        explains=("training-past-best-epoch",) if severity is Severity.WARNING else (),
        key="optimizer.weight_decay",
    )


def _metric_fell(run: CurveRun, noise: float) -> bool:
    """The smoothed validation metric lost since its best, while the training loss went on falling."""
    reading = run.reading
    if reading is None or (reading.drop_since_best or 0.0) <= max(LOST, noise):
        return False
    losses = [v for v in run.train_loss if v is not None and is_finite(v)]
    return len(losses) > 1 and losses[-1] < losses[len(losses) // 2]


def _loss_rose(run: CurveRun) -> bool:
    losses = [v for v in run.validation_loss if v is not None and is_finite(v)]
    if len(losses) <= FOR_EVALUATIONS:
        return False
    lowest = min(losses)
    height = lowest if lowest > 0 else losses[0] - lowest  # the zero of a negative loss is in no special place
    return min(losses[-FOR_EVALUATIONS:]) - lowest > (RISEN - 1) * height


def _fixes(spec: TrainingSpec, onset: float | None) -> tuple[Fix, ...]:
    """Weight decay where there is none; the number of epochs at the onset."""
    fixes = []
    decay = DECAY.get(spec.optimizer.name.lower(), DECAY_ELSE)
    if spec.optimizer.weight_decay < decay:
        fixes.append(Fix(title=f"Use a weight decay of {decay:g}", patch={"optimizer.weight_decay": decay}))
    if onset is not None and onset >= LEAST_EPOCHS and spec.epochs is not None and ceil(onset) < spec.epochs:
        fixes.append(Fix(title=f"Stop after {ceil(onset)} epochs", patch={"epochs": ceil(onset)}))
    return tuple(fixes)


def _augmentations(spec: TrainingSpec, data: DataProfile | None) -> tuple[Fix, ...]:
    """For pictures that are not augmented yet, as far as the spec tells."""
    if data is None or data.input_kind != "image" or spec.data.plain_args is not None:
        return ()
    shape = data.input_shape
    is_picture = len(shape) == 3 and shape[0] <= MOST_CHANNELS and min(shape[1:]) >= SMALLEST_PICTURE
    return AUGMENTATIONS if is_picture else ()


def _dropout(model: ModelProfile | None) -> tuple[Fix, ...]:
    """For a model with hidden layers and no dropout."""
    if model is None or model.weight_layers < 2 or any(layer.dropout for layer in model.layers):
        return ()
    return (DROPOUT,)
