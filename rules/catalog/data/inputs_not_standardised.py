"""Do the inputs come in a scale that makes training slow or unstable?"""

from collections.abc import Iterator
from statistics import median

from diagnoser.evidence.preflight import DataProfile, ModelProfile
from diagnoser.evidence.steps import InitialLoss, Overfit, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.records import is_finite
from diagnoser.trials import Transform
from rules import confirmation
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Inputs are not standardised",
    why="Large, tiny or far-off inputs stretch the loss surface: one learning rate cannot suit all its directions.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-2/#datapre", "LeCun et al. 1998, Efficient BackProp"),
)
LARGE, SMALL = 10.0, 0.01  # overall std; z-scored and [0, 1] data lie far inside
FAR_OFF = 3.0  # overall |mean| / std
UNEVEN_COLUMNS = 100.0  # p95 / p5 of the columns' std; a suspicion only: 11,400 on MNIST / 255, which trains well
MOSTLY_INDICATORS = 0.5  # share of columns with only 0 and 1
FAR, NEAR = 2.0, 1.25  # times chance (CATALOGUE, initial-loss-off-chance: warning above the one, hint above the other)
SEEDS = 3
FIX = Fix(
    title="Standardise the inputs with the training rows' mean and std", transforms=(Transform.STANDARDISE_INPUTS,)
)
CURED = (
    "initial-loss-off-chance",
    "learning-rate-too-high",
    "dead-relu-units",
    "saturated-activations",
    "gradients-explode",
    "loss-diverges",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "seed-dependent-training",
    "underfitting",
)


def check(
    data: DataProfile,
    model: ModelProfile | None,
    initial: InitialLoss | None,
    overfit: Overfit | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if data.input_kind == "tokens":
        raise NotApplicable("the inputs are tokens")
    if data.fraction_one_hot >= MOSTLY_INDICATORS:
        raise NotApplicable("most inputs are indicators, 0 or 1, and have no scale")
    if model is not None and model.starts_with_normalisation:
        raise NotApplicable("the model begins with a normalisation layer")
    if not (is_finite(data.train.mean) and is_finite(data.train.std)):
        raise Unjudged("the inputs hold values that are not finite, so their mean and std are not known")
    observed = f"mean {data.train.mean:.3g}, std {data.train.std:.3g}"
    expected = f"std between {SMALL:g} and {LARGE:g}, mean within {FAR_OFF:g} std of 0"
    suspicion = _suspicion(data)
    if suspicion is None:
        yield Passed(observed=observed, expected=expected)
        return
    verified = confirmation.state(treatments, FIX) is FixState.VERIFIED
    control = overfit is not None and not _columns_only(data) and _small_set_needs_it(overfit)
    start = initial is not None and _start_needs_it(initial)
    severity = Severity.WARNING if verified or control or start else Severity.INFO
    confidence = Confidence.HIGH if verified or start else Confidence.MEDIUM if control else Confidence.LOW
    proof = ""
    if verified:
        proof = " Trained on standardised inputs, the model is clearly better."
    elif control:
        proof = " The small set is learned with standardised inputs, and at no learning rate without."
    elif start and initial is not None:
        before, after = median(initial.observed), median(initial.standardised)
        proof = f" An untrained model loses {before:.3g} on them, and {after:.3g} once they are standardised."
    yield Finding(
        title=f"Inputs are not standardised ({observed})",
        message=f"The training inputs have {observed}: {suspicion}.{proof}",
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/data/value/train/mean", "/steps/preflight/data/value/train/std"),
        fixes=(FIX,),
        explains=CURED if verified or control else ("initial-loss-off-chance",) if start else (),
        key="data",
    )


def _suspicion(data: DataProfile) -> str | None:
    mean, std = data.train.mean, data.train.std
    if std < SMALL and data.on_grid_255_squared:
        return "they look divided by 255 twice"
    if std > LARGE or std < SMALL:
        return f"{'far above' if std > LARGE else 'far below'} the scale of 1 that initial weights are made for"
    if abs(mean) > FAR_OFF * std:
        return f"they lie {abs(mean) / std:.1f} std away from 0"
    ratio = data.column_std_ratio
    if ratio is not None and ratio > UNEVEN_COLUMNS:
        return f"the widest columns vary {ratio:,.0f} times as much as the narrowest"
    return None


def _start_needs_it(initial: InitialLoss) -> bool:
    """Whether every untrained model starts far above a guess, and on standardised inputs every one near it."""
    chance, scaled = initial.chance, initial.standardised
    if not is_finite(chance) or chance is None or len(scaled) < SEEDS:
        return False
    return min(initial.observed) > FAR * chance and max(scaled) < NEAR * chance


def _columns_only(data: DataProfile) -> bool:
    return SMALL <= data.train.std <= LARGE and abs(data.train.mean) <= FAR_OFF * data.train.std


def _small_set_needs_it(overfit: Overfit) -> bool:
    """Whether no attempt on the given inputs passes, none was cut short, and one on standardised inputs passes."""
    given = [attempt for attempt in overfit.attempts if attempt.control == "none"]
    standardised = [attempt for attempt in overfit.attempts if attempt.control == "standardised_inputs"]
    stuck = not any(attempt.memorised or attempt.still_falling for attempt in given)
    return bool(given) and stuck and any(attempt.memorised for attempt in standardised)
