"""Do the initial weights blow the signal up?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile, LayerProfile, ModelProfile
from diagnoser.evidence.steps import InitialLoss, Overfit, Treatments
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.trials import Transform
from rules import claims, pretrained, signal, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Initial weights are too large",
    why="Oversized weights make an untrained model sure of wrong answers, and its first gradients enormous.",
    since="0.1",
    references=("https://arxiv.org/abs/1502.01852", "https://proceedings.mlr.press/v9/glorot10a.html"),
)
FAR = 2.0  # times the loss of a guess: none of ten healthy nets with scaled inputs came above 1.25 (CATALOGUE)
WIDE_LOGITS = 5.0  # sd: a softmax over such logits is nearly one-hot
GROWS = 2.0  # per layer; a single layer reaches 5.7 in healthy nets, hence several in a row
IN_A_ROW = 4
USUAL_STD = (0.1, 3.0)  # of inputs that are no explanation by themselves; z-scored is 1, pixels / 255 about 0.3
REINITIALISE = Fix(
    title="Re-initialise: Kaiming for ReLU, Xavier for tanh and sigmoid", transforms=(Transform.REINITIALISE,)
)
ZERO_LAST = Fix(title="Start the last layer at zero", transforms=(Transform.ZERO_LAST_LAYER,))
CURED = (
    "initial-loss-off-chance",
    "saturated-activations",
    "dead-relu-units",
    "gradients-explode",
    "learning-rate-too-high",
    "loss-diverges",
    "non-finite-loss",
    "seed-dependent-training",
)


def check(
    initial: InitialLoss,
    model: ModelProfile,
    data: DataProfile | None,
    overfit: Overfit | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    if model.equal_for_different_seeds:
        raise NotApplicable("every build has the same weights: they are pretrained, not initial")
    if pretrained.mostly_frozen(model):
        raise NotApplicable("most weights are frozen and the same in every build: they are pretrained, not initial")
    logits = user_runs.middle(initial.outputs_std)
    start = user_runs.middle(initial.observed)
    times = start / initial.chance if start is not None and initial.chance else None
    sure_of_nothing = (
        times is not None and times > FAR and logits is not None and logits > WIDE_LOGITS and _usual_inputs(data)
    )
    growth = () if signal.normalised(model) else signal.run(model, lambda factor: factor > GROWS)
    growing = len(growth) >= IN_A_ROW
    observed = _observed(times, logits, growth if growing else ())
    expected = f"at most {FAR:g} times the loss of a guess, outputs with an sd below {WIDE_LOGITS:g}"
    if not sure_of_nothing and not growing:
        yield Passed(observed=observed, expected=expected)
        return
    claim = claims.claim(treatments, REINITIALISE, ZERO_LAST)
    control = overfit is not None and signal.reinitialised_passes(overfit)
    severity, confidence = claim.severity, claim.confidence
    if not claim.verified and (sure_of_nothing or control):
        severity, confidence = Severity.WARNING, Confidence.MEDIUM  # theory over five initialisations, or a control
    yield Finding(
        message=f"Before any update: {observed}."
        + (" The small set is learned once the weights are drawn anew." if control else "")
        + claim.words,
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/initial_loss/value/observed",
            "/steps/initial_loss/value/outputs_std",
            *(("/steps/preflight/model/value/layers",) if growing else ()),
        ),
        fixes=(REINITIALISE, ZERO_LAST),
        explains=CURED if claim.verified or control else ("initial-loss-off-chance",) if sure_of_nothing else (),
        key="model",
        subject=growth[0].path if growing else None,
    )


def _usual_inputs(data: DataProfile | None) -> bool:
    """Whether the inputs have a scale of their own that explains nothing: then the weights do."""
    if data is None:
        return False
    if data.input_kind == "tokens":
        return True
    mean, std = data.train.mean, data.train.std
    low, high = USUAL_STD
    return is_finite(mean) and is_finite(std) and low <= std <= high and abs(mean) <= high * std


def _observed(times: float | None, logits: float | None, growth: tuple[LayerProfile, ...]) -> str:
    parts = []
    if times is not None:
        parts.append(f"the loss is {times:.2g} times that of a guess")
    if logits is not None:
        parts.append(f"the outputs have an sd of {logits:.3g}")
    if growth:
        parts.append(f"the signal more than doubles in {len(growth)} layers in a row, from {growth[0].path} on")
    return ", ".join(parts) or "no layer was measured"
