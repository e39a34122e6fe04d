"""Does the network fit its own training rows worse than a simple model does?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Baselines
from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.findings import Confidence, Fix, Severity
from rules import user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The model underfits",
    why="A network that fits its own training rows worse than a simple model is held back by something.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#accuracy",),
)
BELOW = 2.0  # standard errors (CATALOGUE)
MATTERS = 0.02  # of a share metric, or relative: less is not worth a warning
YARDSTICKS = ("linear", "bigram")  # k-NN fits its own rows by definition


def check(curves: Curves, baselines: Baselines) -> Iterator[Finding | Passed]:
    runs = user_runs.whole(curves)
    if baselines.metric != curves.metric:
        raise Unjudged("the simple models were judged by another metric")
    sign = 1.0 if curves.higher_is_better else -1.0
    simple = [score for score in baselines.scores if score.name in YARDSTICKS and score.train is not None]
    best = max(simple, key=lambda score: sign * (score.train or 0.0), default=None)
    if best is None or best.train is None:
        raise Unjudged("no simple model was trained on these rows")
    end = user_runs.middle(user_runs.last(run.train_metric) for run in runs)
    if end is None:
        raise Unjudged("the metric on training rows was not measured")
    error = max(curves.standard_error or 0.0, baselines.standard_error)
    scale = 1.0 if user_runs.is_share(curves) else abs(best.train)
    margin = max(BELOW * error, MATTERS * scale)
    words = "bigram table" if best.name == "bigram" else "linear model"
    observed = f"training {curves.metric} {end:.3g}"
    expected = f"about the {best.train:.3g} of a {words} on the same rows"
    flags = [_below(run, train=best.train, validation=best.validation, margin=margin, sign=sign) for run in runs]
    if not user_runs.enough(flags):
        yield Passed(observed=observed, expected=expected)
        return
    improving = user_runs.classed(runs, "still_improving")
    yield Finding(
        message=f"On its own training rows the network ends at {end:.3g} ({curves.metric}), a {words} at "
        f"{best.train:.3g}, and validation is no better."
        + (" It was still improving when the run ended." if improving else ""),
        severity=Severity.INFO if improving else Severity.WARNING,
        confidence=Confidence.LOW if improving else Confidence.MEDIUM,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs", "/steps/preflight/baselines/value/scores"),
        fixes=(
            Fix(
                title="Find the cause first",
                advice="learning rate and its schedule, length of the run, regularisation, then capacity",
            ),
        ),
        explains=() if improving else ("loss-plateaus",),
        key="model",
    )


def _below(run: CurveRun, *, train: float, validation: float, margin: float, sign: float) -> bool:
    """Below the simple model on training rows, not above it on validation, and without a gap of its own.

    A simple model that overfits has a better training metric than a healthy network: what it has beyond its own
    validation it knows by heart, and is no yardstick.
    """
    own, held_out = user_runs.last(run.train_metric), user_runs.last(run.validation_metric)
    if own is None or held_out is None:
        return False
    overfits = sign * (train - validation) > margin
    yardstick = validation if overfits else train
    return (
        sign * (yardstick - own) > margin and sign * (validation - held_out) >= 0 and sign * (own - held_out) < margin
    )
