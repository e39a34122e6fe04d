"""Does the run end while there is clearly more to gain?"""

import math
from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, Baselines
from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import FixState
from diagnoser.spec.fields import Task, TrainingSpec
from rules import claims, lengths, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The run is too short",
    why="The curve still rises when training ends: what looks like the model's limit is that of the budget.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#accuracy",),
)
FEW_UPDATES = 200  # in the whole run (CATALOGUE)
SURE = 2.0  # standard errors of the metric
NOISE = 0.02  # sd of repeated evaluation / the loss: above it a slope of the loss says nothing (CATALOGUE)
NO_EPOCH = ("overfit", "divergence")


def check(
    spec: TrainingSpec,
    assumptions: Assumptions,
    curves: Curves,
    baselines: Baselines | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    runs = user_runs.whole(curves)
    if user_runs.enough(run.stopped_by == "early_stopping" for run in runs):
        raise NotApplicable("early stopping ended the run")
    updates = assumptions.total_updates
    few = updates < FEW_UPDATES
    if not few and _noisy_objective(runs, curves):
        raise Unjudged(
            "the loss is noisy from evaluation to evaluation and there is no other metric: its slope says little"
        )
    if assumptions.task is Task.LANGUAGE_MODEL and not few and not _below_bigrams(runs, curves, baselines):
        raise NotApplicable("language models improve with every doubling of the run: its length is a choice of budget")
    gain = user_runs.middle(run.reading.extrapolated_gain for run in runs if run.reading is not None)
    observed = f"{updates:,} updates; at its last slope half the run again would gain {gain or 0.0:.3f}"
    expected = f"a gain below {_worth(runs, curves):.3g}, or too small to be sure of"
    bad = user_runs.classed(runs, *NO_EPOCH) or user_runs.at_ceiling(runs)
    if bad or not (few or (gain is not None and gain > _worth(runs, curves))):
        yield Passed(observed=observed, expected=expected)
        return
    fixes = tuple(lengths.longer(spec, factor=factor) for factor in _factors(updates))
    claim = claims.claim(treatments, *fixes[:2], least=claims.MATTERS)  # almost anything gains from forty times the run
    if claim.state is FixState.REFUTED or (claim.state is FixState.VERIFIED and not claim.verified):
        yield Passed(observed=f"{observed}; a longer run was tried and gains too little to matter", expected=expected)
        return
    yield Finding(
        title=f"The run is too short ({updates:,} updates)",
        message=(
            f"The whole run has {updates:,} updates."
            if few
            else f"The run is still improving when it ends: {observed}."
        )
        + claim.words,
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/assumptions/value/total_updates",
            "/steps/curves/value/runs/0/reading/extrapolated_gain",
        ),
        fixes=fixes,
        key="steps" if spec.steps is not None else "epochs",
    )


def _factors(updates: int) -> tuple[int, ...]:
    """Twice as long; a run of few updates also four times, and so long that it is not short any more."""
    if updates >= FEW_UPDATES:
        return (2,)
    enough = 2 ** math.ceil(math.log2(2 * FEW_UPDATES / max(updates, 1)))
    return (2, 4, enough) if enough > 4 else (2, 4)


def _worth(runs: tuple[CurveRun, ...], curves: Curves) -> float:
    """The gain that matters: 2 points and 2 standard errors of a share, 5 % of anything else."""
    if user_runs.is_share(curves):
        return max(claims.MATTERS, SURE * (curves.standard_error or 0.0))
    ends = (user_runs.last(run.validation_metric) or user_runs.last(run.validation_loss) for run in runs)
    return claims.MATTERS_RELATIVE * abs(user_runs.middle(ends) or 0.0)


def _noisy_objective(runs: tuple[CurveRun, ...], curves: Curves) -> bool:
    if user_runs.is_share(curves) or curves.metric in {"mae", "perplexity"}:
        return False
    noise = user_runs.middle(run.evaluation_noise for run in runs)
    end = user_runs.middle(user_runs.last(run.validation_loss) for run in runs)
    return noise is not None and end is not None and noise > NOISE * abs(end)


def _below_bigrams(runs: tuple[CurveRun, ...], curves: Curves, baselines: Baselines | None) -> bool:
    """Whether a table of letter pairs does better: then the language model has hardly begun."""
    if baselines is None or baselines.metric != curves.metric:
        return False
    table = next((score.validation for score in baselines.scores if score.name == "bigram"), None)
    end = user_runs.middle(user_runs.last(run.validation_metric) for run in runs)
    if table is None or end is None:
        return False
    sign = 1.0 if curves.higher_is_better else -1.0
    return sign * (table - end) > SURE * baselines.standard_error
