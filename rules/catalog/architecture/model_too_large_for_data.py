"""Would a smaller model, or a simple one, generalise better?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Baselines, ModelProfile
from diagnoser.evidence.steps import CurveRun, Curves, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.spec.fields import TrainingSpec
from rules import claims, user_runs, widths
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="The model is too large for the data",
    why="With more freedom than the rows can pin down, a network learns its training set by heart.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#accuracy",),
)
GAP = 0.10  # training minus validation: seven points are seen in healthy runs (CATALOGUE)
SURE = 3.0  # standard errors of the gap
BETTER = 2.0  # standard errors by which a simple model is better


def check(
    spec: TrainingSpec, model: ModelProfile, curves: Curves, baselines: Baselines | None, treatments: Treatments | None
) -> Iterator[Finding | Passed]:
    runs = user_runs.ours(curves)
    if not user_runs.is_share(curves):
        raise NotApplicable(f"the metric, {curves.metric}, has no scale on which a gap could be judged")
    gap = user_runs.middle(run.reading.final_gap for run in runs if run.reading is not None)
    if gap is None:
        raise NotApplicable("no training metric stands beside the validation metric")
    observed, expected = f"a gap of {gap:.1%} between training and validation", f"at most {GAP:.0%}"
    simple = _simpler_and_better(runs, curves, baselines)
    narrower = widths.widened(spec, factor=0.5)
    wide_gap = gap > max(GAP, SURE * (curves.standard_error or 0.0))
    if not wide_gap or (simple is None and narrower is None):
        yield Passed(observed=observed, expected=expected)
        return
    fixes = (narrower,) if narrower is not None else ()
    claim = claims.claim(treatments, *fixes)
    if claim.state is FixState.REFUTED and simple is None:
        yield Passed(observed="half the width was tried and is not better", expected=expected)
        return
    rows = f"{model.parameters:,} parameters"
    yield Finding(
        message=f"Training is {gap:.1%} better than validation with {rows}."
        + (f" {simple} does better on validation." if simple else "")
        + claim.words,
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs", "/steps/preflight/model/value/parameters"),
        fixes=(
            *fixes,
            Fix(
                title="Use a smaller model, or more data",
                advice="fewer units, pretrained weights, regularisation or rows",
            ),
        ),
        explains=("overfitting",) if claim.verified else (),
        key="model.args" if narrower is not None else "model",
    )


def _simpler_and_better(runs: tuple[CurveRun, ...], curves: Curves, baselines: Baselines | None) -> str | None:
    """The simple model that beats this one on validation by two standard errors, in words."""
    end = user_runs.middle(user_runs.last(run.validation_metric) for run in runs)
    if baselines is None or end is None or baselines.metric != curves.metric:
        return None
    simple = [score for score in baselines.scores if score.name in {"linear", "knn"}]
    best = max(simple, key=lambda score: score.validation, default=None)
    if best is None or best.validation - end <= BETTER * baselines.standard_error:
        return None
    return f"A {'linear model' if best.name == 'linear' else 'k-nearest-neighbour model'} ({best.validation:.3f})"
