"""Is there any learning rate at which the model memorises a few rows?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions
from diagnoser.evidence.steps import Overfit, SmallSetAttempt
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import is_finite
from diagnoser.spec.fields import Task
from rules import rates, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="A few rows cannot be memorised",
    why="A sound network learns a handful of rows by heart; one that cannot will learn nothing from many.",
    since="0.1",
    references=(
        "https://cs231n.github.io/neural-networks-3/#sanitycheck",
        "https://karpathy.github.io/2019/04/25/recipe/",
    ),
)
FEWEST_RATES = 3  # of the ladder: fewer cannot tell a wrong lr from a broken pipeline
HALF_WAY = 0.5  # from the initial loss to the floor: beyond it a bottleneck or an ambiguous text may simply end
SAME = 0.01  # of the loss: as bad with the inputs zeroed (CATALOGUE, inputs-ignored-by-model)
DECIDED = ("stalled", "diverged")


def check(assumptions: Assumptions, overfit: Overfit) -> Iterator[Finding | Passed]:
    if assumptions.task is Task.CUSTOM:
        raise NotApplicable("what memorising means is not known for a `step` of your own")
    plain = rates.plain_attempts(overfit)
    if not plain:
        raise Unjudged("no attempt on the small set was made")
    learned = sorted({attempt.lr for attempt in plain if attempt.memorised})
    expected = f"loss near {overfit.floor:.3g} ({overfit.floor_because})"
    if learned:
        yield Passed(observed=f"{overfit.rows} rows memorised at lr {learned[0]:g}", expected=expected)
        return
    tried = sorted({attempt.lr for attempt in plain})
    if len(tried) < FEWEST_RATES:
        raise Unjudged("it was not memorised, and the budget left no time for enough other learning rates")
    own = [attempt for attempt in plain if rates.same(attempt.lr, overfit.user_lr)]
    if not _most_failed(own) or not all(_failed(attempt) for attempt in plain if attempt not in own):
        raise Unjudged("some attempts were still improving, or were cut short, when they ended")
    best = min(plain, key=_end)
    progress = _progress(best, overfit.floor)
    stuck = progress < HALF_WAY
    settled = stuck or assumptions.task in {Task.CLASSIFICATION, Task.BINARY, Task.MULTILABEL}
    observed = f"loss {_end(best):.3g} at best, at {len(tried)} learning rates from {tried[0]:g} to {tried[-1]:g}"
    yield Finding(
        title=f"{overfit.rows} rows cannot be memorised at any learning rate",
        message=f"The small set of {overfit.rows} rows is not learned at any of {len(tried)} learning rates from "
        f"{tried[0]:g} to {tried[-1]:g}, regularisation off: the loss ends at {_end(best):.3g} at best, "
        f"and could reach {overfit.floor:.3g}.{_controls(overfit, best)}",
        severity=Severity.ERROR if stuck else Severity.WARNING if settled else Severity.INFO,
        confidence=(Confidence.HIGH if len(own) >= user_runs.ENOUGH_SEEDS and stuck else Confidence.MEDIUM)
        if settled
        else Confidence.LOW,
        observed=observed,
        expected=expected,
        evidence=("/steps/overfit/value/attempts", "/steps/overfit/value/floor"),
        fixes=(
            Fix(
                title="Look for the break between input and update",
                advice="look at one batch and its labels, at the loss with its output activation, at detached or "
                "frozen parts, and at the initial weights",
            ),
        ),
        explains=("no-learning-rate-works", "nothing-learned", "underfitting") if stuck else (),
        key="model",
    )


def _failed(attempt: SmallSetAttempt) -> bool:
    """A loss that ended without falling any more; one that was cut short by the clock proves nothing."""
    return rates.failed(attempt) and attempt.stopped_by != "time"


def _most_failed(own: list[SmallSetAttempt]) -> bool:
    """At the user's own lr: most seeds stalled or diverged, and none was still on its way."""
    decided = [_failed(attempt) and attempt.stopped_by in DECIDED for attempt in own]
    return bool(decided) and sum(decided) > len(decided) / 2


def _end(attempt: SmallSetAttempt) -> float:
    values = [v for v in (attempt.final_loss, attempt.lowest_loss) if v is not None and is_finite(v)]
    return values[0] if values else float("inf")


def _progress(attempt: SmallSetAttempt, floor: float) -> float:
    """Share of the way from the initial loss to the floor."""
    start = attempt.initial_loss
    if start is None or not is_finite(start) or start <= floor or not is_finite(_end(attempt)):
        return 0.0
    return (start - _end(attempt)) / (start - floor)


def _controls(overfit: Overfit, best: SmallSetAttempt) -> str:
    """What the controls add, in words."""
    by_name = {attempt.control: attempt for attempt in overfit.attempts}
    said = []
    zeroed = by_name.get("zeroed_inputs")
    if zeroed is not None and is_finite(_end(zeroed)) and abs(_end(zeroed) - _end(best)) <= SAME * abs(_end(zeroed)):
        said.append(" It ends as high with all inputs zeroed: the model learns nothing from them.")
    cures = {"standardised_inputs": "with standardised inputs", "reinitialised": "with weights drawn anew"}
    said += [
        f" It is learned {words}."
        for name, words in cures.items()
        if any(attempt.control == name and attempt.memorised for attempt in overfit.attempts)
    ]
    return "".join(said)
