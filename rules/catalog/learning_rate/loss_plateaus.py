"""Does the training loss stand still on a high level?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Baselines
from diagnoser.evidence.steps import Curves, InitialLoss
from diagnoser.findings import Confidence, Fix, Severity
from rules import user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The loss stands still on a high level",
    why="The run has stopped learning while a simple model shows that there is more to learn.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#loss",),
)
STILL = 0.005  # of the initial loss, over the last fifth of the run (CATALOGUE)
HIGH = 0.5  # of the loss of a guess
BELOW = 2.0  # standard errors below the best simple model
DECAYED = 0.1  # of its peak: an lr this low explains the stillness


def check(curves: Curves, initial: InitialLoss, baselines: Baselines) -> Iterator[Finding | Passed]:
    if initial.chance is None:
        raise Unjudged("the loss of a guess is not known, so a high level cannot be told from a low one")
    runs = user_runs.whole(curves)
    if baselines.metric != curves.metric:
        raise Unjudged("the simple models were judged by another metric")
    best = max(
        (score for score in baselines.scores if score.name in {"linear", "bigram"}),
        key=lambda score: score.validation if curves.higher_is_better else -score.validation,
        default=None,
    )
    if best is None:
        raise Unjudged("no simple model was trained on these rows")
    sign = 1.0 if curves.higher_is_better else -1.0
    margin = BELOW * baselines.standard_error
    flags, levels, changes = [], [], []
    for run in runs:
        change = run.reading.loss_change_last_fifth if run.reading is not None else None
        end = user_runs.last(run.validation_metric)
        level = run.smoothed[-1] / initial.chance if run.smoothed and initial.chance else None
        if change is None or end is None or level is None:
            continue
        levels.append(level)
        changes.append(change)
        flags.append(abs(change) < STILL and level > HIGH and sign * (best.validation - end) > margin)
    if not flags:
        raise Unjudged("the runs are too short to have a last fifth")
    change, level = user_runs.middle(changes) or 0.0, user_runs.middle(levels) or 0.0
    observed = f"{level:.0%} of the loss of a guess, changing by {abs(change):.2%} over the last fifth"
    expected = f"a loss that still moves, or stands below {HIGH:.0%} of a guess"
    if not user_runs.enough(flags):
        yield Passed(observed=observed, expected=expected)
        return
    if all(run.lrs and run.lrs[-1] < DECAYED * max(run.lrs) for run in runs):
        raise Unjudged("the learning rate had decayed, so the loss stands still by design")
    yield Finding(
        message=f"The training loss stands at {observed}, while a {best.name} model reaches "
        f"{best.validation:.3f} ({curves.metric}) on validation.",
        severity=Severity.WARNING,
        confidence=Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/curves/value/runs/0/reading/loss_change_last_fifth",
            "/steps/initial_loss/value/chance",
            "/steps/preflight/baselines/value/scores",
        ),
        fixes=(Fix(title="Find the cause first", advice="activations, initial weights, learning rate and capacity"),),
        key="optimizer",
    )
