"""Is the gradient that autograd gives the slope of the loss?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import GradientCheck
from diagnoser.evidence.steps import Overfit
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.spec.fields import TrainingSpec
from rules import rates
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The gradient is not the slope of the loss",
    why="Training follows the gradient; where that points elsewhere, so does training.",
    since="0.1",
    references=(
        "https://cs231n.github.io/neural-networks-3/#gradcheck",
        "https://docs.pytorch.org/docs/stable/notes/gradcheck.html",
    ),
)
WRONG = 1e-2  # relative, at every step size (CATALOGUE); float64 agrees to 1e-7
DIRECTIONS = 2  # of four: one alone may have crossed a kink
EFFECTS = ("small-set-not-memorised", "no-learning-rate-works", "loss-diverges", "loss-plateaus", "underfitting")
DETACH = "detach"


def check(spec: TrainingSpec, gradient: GradientCheck, overfit: Overfit | None) -> Iterator[Finding | Passed]:
    errors = [error for error in gradient.relative_errors if is_finite(error)]
    if not errors:
        raise Unjudged("the slope of the loss could not be measured along any direction")
    wrong = sum(error > WRONG for error in errors)
    observed = f"off by up to {max(errors):.1%} along {len(errors)} directions"
    expected = f"at most {WRONG:.0%} off"
    if wrong < min(DIRECTIONS, len(errors)):
        yield Passed(observed=observed, expected=expected)
        return
    custom = [name for name in gradient.suspects if name != DETACH]
    memorised = any(attempt.memorised for attempt in rates.plain_attempts(overfit))
    # With a step of the user's own nothing says what memorised would be, and a stop-gradient is how some of them work.
    severity, confidence = _grade(
        custom=bool(custom),
        detached=DETACH in gradient.suspects,
        memorised=memorised or (spec.step is not None and not custom),
    )
    if gradient.flat_layer is not None and memorised:
        severity, confidence = Severity.INFO, Confidence.LOW  # the slope of a step is 0: no other gradient would do
    where = f" up to `{gradient.worst_layer}`" if gradient.worst_layer else ""
    suspect = f" `{custom[0]}` brings its own backward pass." if custom else ""
    cut = " A tensor is detached on the way." if DETACH in gradient.suspects else ""
    if gradient.flat_layer is not None:
        cut += f" The loss is level in the weights of `{gradient.flat_layer}`, as behind a sign or a rounding, so the "
        cut += "gradient stands in for one that would be 0: a straight-through estimator does that on purpose."
    yield Finding(
        title=f"`{custom[0]}` gives a wrong gradient" if custom else None,
        message=f"Along {wrong} of {len(errors)} directions the gradient differs from the slope of the loss, measured "
        f"in float64, by up to {max(errors):.0%}{where}.{suspect}{cut}",
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/gradient/value/relative_errors", "/steps/preflight/gradient/value/suspects"),
        fixes=(
            Fix(
                title=f"Correct the backward pass of `{custom[0]}`",
                advice="check it with `torch.autograd.gradcheck(function, inputs)` in float64",
            )
            if custom
            else Fix(
                title="Keep the graph whole",
                advice="no `detach()`, `.data` or NumPy in the forward pass where a gradient should flow",
            ),
        ),
        explains=EFFECTS if severity is Severity.ERROR else (),
        key="model",
        subject=custom[0] if custom else gradient.worst_layer,
        by_definition=True,
    )


def _grade(*, custom: bool, detached: bool, memorised: bool) -> tuple[Severity, Confidence]:
    """A straight-through estimator or a stop-gradient is wrong by intent, and learns all the same."""
    if not memorised:
        return Severity.ERROR, Confidence.MEDIUM if detached and not custom else Confidence.HIGH
    if detached and not custom:
        return Severity.INFO, Confidence.LOW
    return Severity.WARNING, Confidence.MEDIUM
