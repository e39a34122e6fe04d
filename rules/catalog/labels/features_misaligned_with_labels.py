"""Do the labels belong to their rows?"""

from collections.abc import Iterator
from statistics import median

from diagnoser.evidence.preflight import Baselines
from diagnoser.evidence.steps import Curves, Overfit
from diagnoser.findings import Confidence, Fix, Severity
from rules import learnable, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Labels seem not to belong to their inputs",
    why="Shuffle inputs and labels apart, and a network can only memorise: it learns nothing that holds for new rows.",
    since="0.1",
    references=("Zhang et al. 2017, Understanding deep learning requires rethinking generalization",),
)
SIGMAS = 2.0  # a score within 2 standard errors of chance is chance
CLEARLY = 3.0  # above 3 it is not
FEWEST_ROWS = 100  # validation rows; below, chance is too wide
SHARES = ("accuracy", "balanced_accuracy", "f1", "r2")
LEFT_WITHOUT_SIGNAL = (
    "noisy-labels",
    "nothing-learned",
    "overfitting",
    "underfitting",
    "loss-plateaus",
    "model-too-large-for-data",
)


def check(baselines: Baselines, overfit: Overfit | None, curves: Curves | None) -> Iterator[Finding | Passed]:
    if baselines.metric not in SHARES:
        raise NotApplicable(f"chance is not defined for {baselines.metric}")
    scores = [score.validation for score in baselines.scores if score.name in {"linear", "knn"}]
    if not scores or baselines.held_out_training is None:
        raise Unjudged("no simple model was tried on validation and on held-out training rows")
    noise, chance = baselines.standard_error, baselines.chance
    best = max(*scores, baselines.held_out_training)
    observed = f"simple models reach {best:.3g} ({baselines.metric}), a guess {chance:.3g} ± {noise:.2g}"
    expected = "inputs that tell something about their labels"
    if best > chance + SIGMAS * noise:
        yield Passed(observed=observed, expected=expected)
        return
    reference = baselines.reference
    network = max(reference.validation, reference.held_out_training) if reference is not None else None
    if reference is not None and network is not None and network > chance + CLEARLY * noise:
        yield Passed(observed=f"{observed}, a {learnable.network(reference)} {network:.3g}", expected=expected)
        return
    if curves is None or curves.metric != baselines.metric:
        raise Unjudged("simple models are at chance; whether the network is too needs step 6")
    if curves.validation_rows < FEWEST_ROWS:
        raise Unjudged(f"with {curves.validation_rows} validation rows chance is too wide to judge")
    reached = [
        max((m for m in run.validation_metric if m is not None), default=chance) for run in user_runs.ours(curves)
    ]
    if 2 * sum(metric > chance + CLEARLY * noise for metric in reached) >= len(reached):
        yield Passed(observed=f"{observed}, the network {median(reached):.3g}", expected=expected)
        return
    if overfit is None or not any(attempt.memorised for attempt in overfit.attempts if attempt.control == "none"):
        raise Unjudged("the network does not memorise its small set, so its failure on all data proves nothing")
    other = f", a {learnable.network(reference)}" if reference is not None else ""
    yield Finding(
        message=f"A linear model, nearest neighbours{other} and the network itself all end at chance on validation "
        f"({median(reached):.3g} against {chance:.3g} ± {noise:.2g}), though the network memorises a small set: "
        "the inputs say nothing about their labels. Either the two were shuffled apart, or there is no signal.",
        severity=Severity.ERROR,
        confidence=Confidence.MEDIUM,  # controls agree, and data without any signal would look the same
        observed=f"{observed}, the network {median(reached):.3g}",
        expected=expected,
        evidence=(
            "/steps/preflight/baselines/value/scores",
            "/steps/preflight/baselines/value/held_out_training",
            "/steps/curves/value/runs",
            "/steps/overfit/value/attempts",
        ),
        fixes=(
            Fix(
                title="Shuffle inputs and labels by one index",
                advice="look for a permutation, sort or filter that was applied to only one of the two",
            ),
        ),
        explains=LEFT_WITHOUT_SIGNAL,
        key="data",
        subject="labels",
    )
