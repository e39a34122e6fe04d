"""Does the training loss run away?"""

import itertools
import math
from collections.abc import Iterator

from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.trials import Outcome
from rules import user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The loss diverges",
    why="A loss that ends above its start has unlearned what the model knew by chance.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#loss",),
)
DOUBLES = 2.0  # times the running minimum of the smoothed loss, and above its start (CATALOGUE)
GRADIENT = "gradient"  # how `first_non_finite` begins where all of the forward pass was finite
WEIGHTS_GROW = 100.0  # times the norm at the start (CATALOGUE)


def check(curves: Curves) -> Iterator[Finding | Passed]:
    runs = user_runs.ours(curves)
    judged = [run for run in runs if run.initial_loss is not None and math.isfinite(run.initial_loss)]
    if not judged:
        raise NotApplicable("the loss is not finite before the first update, so there is nothing to diverge from")
    diverged = [run for run in judged if _diverges(run)]
    expected = f"a smoothed loss that ends below its start, weights that stay below {WEIGHTS_GROW:g} times theirs"
    enough = user_runs.in_most(_diverges(run) for run in judged) or len(diverged) == len(judged)
    if not diverged or not enough:
        yield Passed(observed=f"{len(diverged)} of {len(judged)} runs diverge", expected=expected)
        return
    lost = any(_is_lost(run) for run in diverged)
    yield Finding(
        title=f"The loss diverges in {len(diverged)} of {len(judged)} runs",
        message=f"{_words(diverged[0])} ({len(diverged)} of {len(judged)} seeds).",
        severity=Severity.ERROR,
        # Non-finite is a definition; a rise is a threshold with seeds behind it.
        confidence=Confidence.HIGH if lost else Confidence.MEDIUM,
        observed=_words(diverged[0]),
        expected=expected,
        evidence=("/steps/curves/value/runs/0/smoothed", "/steps/curves/value/runs/0/initial_loss"),
        fixes=(
            Fix(
                title="Find the cause first",
                advice="learning rate, input scale, initial weights and the sign of the loss, in this order",
            ),
        ),
        explains=("non-finite-loss", "nothing-learned") if lost else ("nothing-learned",),
        key="optimizer.lr",
    )


def _is_lost(run: CurveRun) -> bool:
    return run.outcome is Outcome.DIVERGED or any(not math.isfinite(v) for v in run.smoothed)


def _diverges(run: CurveRun) -> bool:
    return not _never_rose(run) if _is_lost(run) else _rises(run) or _weights_grow(run)


def _never_rose(run: CurveRun) -> bool:
    """Whether the loss was lost at once, without ever doubling: one operation broke, nothing ran away.

    After a single update only a gradient that is not finite, of a loss that is, tells this from one huge step.
    """
    finite = list(itertools.takewhile(math.isfinite, run.smoothed))
    if not finite or run.initial_loss is None or max(finite) > DOUBLES * abs(run.initial_loss):
        return False
    return len(finite) > 1 or (run.first_non_finite or "").startswith(GRADIENT)


def _rises(run: CurveRun) -> bool:
    if not run.smoothed or run.initial_loss is None:
        return False
    end, lowest = run.smoothed[-1], min(run.smoothed)
    rise = end - lowest
    return end > run.initial_loss and rise > (DOUBLES - 1) * abs(lowest)


def _weights_grow(run: CurveRun) -> bool:
    """Weights that were drawn far too small grow as much while the loss falls: they learn."""
    start, end = run.weight_norm_start, run.weight_norm_end
    if start is None or end is None or start <= 0:
        return False
    falls = bool(run.smoothed) and run.initial_loss is not None and run.smoothed[-1] < run.initial_loss
    return not math.isfinite(end) or (end > WEIGHTS_GROW * start and not falls)


def _words(run: CurveRun) -> str:
    if _is_lost(run):
        return f"The loss starts at {run.initial_loss:.3g} and is lost (not finite) after {run.updates} updates"
    if _rises(run):
        lowest, end = min(run.smoothed), run.smoothed[-1]
        return f"The smoothed loss starts at {run.initial_loss:.3g}, reaches {lowest:.3g} and ends at {end:.3g}"
    return f"The weights grow to {run.weight_norm_end or 0.0:.3g}, from {run.weight_norm_start or 0.0:.3g}"
