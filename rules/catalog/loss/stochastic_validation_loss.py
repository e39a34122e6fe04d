"""Is the validation loss a draw of chance?"""

from collections.abc import Iterator
from itertools import pairwise
from math import isfinite
from statistics import fmean, median

from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.findings import Confidence, Fix, Severity
from rules import user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The validation loss changes from one evaluation to the next",
    why="Part of the ups and downs of the curve is then noise of the evaluation and says nothing about the model.",
    since="0.1",
)
NOISY = 0.02  # sd of five evaluations of one model / their mean
HALF = 0.5  # of the variance of the differences between epochs
FEWEST = 4  # evaluations, to know how much they vary


def check(curves: Curves) -> Iterator[Finding | Passed]:
    told = [story for run in user_runs.ours(curves) if (story := _noise(run)) is not None]
    if not told:
        raise Unjudged("the same model was not evaluated several times")
    share = median(relative for relative, _ in told)
    explained = median(part for _, part in told)
    observed = f"five evaluations of one model differ by {share:.1%} of the loss (sd)"
    expected = f"at most {NOISY:.0%}"
    if share <= NOISY or explained < HALF:
        yield Passed(observed=observed, expected=expected)
        return
    yield Finding(
        title=f"The validation loss is uncertain by {share:.0%}",
        message=f"The same weights on the same rows gave losses that differ by {share:.1%} (sd of five evaluations). "
        f"That explains {min(explained, 1):.0%} of what the curve does between epochs, and curves are judged above it.",
        severity=Severity.INFO,
        confidence=Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs",),
        fixes=(
            Fix(
                title="Fix the draws of the evaluation",
                advice="seed noise and time steps in evaluation, or average several draws",
            ),
        ),
        key="evaluate",
    )


def _noise(run: CurveRun) -> tuple[float, float] | None:
    """Spread of repeated evaluations, relative to the loss, and the share of the epochs' variance that it explains."""
    losses = [loss for loss in run.validation_loss if loss is not None and isfinite(loss)]
    noise = run.evaluation_noise
    if noise is None or not isfinite(noise) or len(losses) < FEWEST or losses[-1] == 0:
        return None
    changes = [after - before for before, after in pairwise(losses[len(losses) // 2 :])]
    between = fmean(change**2 for change in changes) if changes else 0.0
    return noise / abs(losses[-1]), 2 * noise**2 / between if between else 1.0
