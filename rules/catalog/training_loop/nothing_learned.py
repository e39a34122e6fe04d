"""Is the model after its whole run better than a guess, and than a simple model?"""

from collections.abc import Iterator
from typing import NamedTuple

from diagnoser.evidence.preflight import Baselines, Score
from diagnoser.evidence.steps import CurveRun, Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.trials import Outcome
from rules import learnable, own_loop, user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="Nothing was learned",
    why="A network that ends no better than a guess, where a simple model does better, was trained in vain.",
    since="0.1",
    references=("https://cs231n.github.io/neural-networks-3/#sanitycheck",),
)
AT_CHANCE = 2.0  # standard errors (CATALOGUE)
SIGNAL = 5.0  # standard errors of a simple model above chance: there is something to learn
BELOW = 2.0  # standard errors below the best simple model
MATTERS = 0.02  # of a share metric: less is not worth a warning
YARDSTICKS = ("linear", "bigram")  # k-NN proves that there is signal, and is no yardstick of quality (CATALOGUE)


class _Ends(NamedTuple):
    """Where the runs of one loop end on validation."""

    runs: tuple[CurveRun, ...]
    values: tuple[float, ...]
    whose: str

    @property
    def middle(self) -> float:
        return sorted(self.values)[len(self.values) // 2]


def check(curves: Curves, baselines: Baselines) -> Iterator[Finding | Passed]:
    if baselines.metric != curves.metric:
        raise Unjudged("the simple models were judged by another metric")
    simple = list(learnable.simple(baselines))
    best = learnable.best(baselines, sign=1.0 if curves.higher_is_better else -1.0)
    if best is None:
        raise Unjudged("no simple model was trained on these rows")
    sign = 1.0 if curves.higher_is_better else -1.0
    signal = sign * (best[1] - baselines.chance) > SIGNAL * baselines.standard_error
    groups = _groups(curves)
    found = False
    for ends in groups:
        finding = _at_chance(ends, curves, baselines, best, sign=sign) if signal else None
        finding = finding or _below(ends, curves, baselines, simple, sign=sign)
        if finding is not None:
            found = True
            yield finding
    if not found:
        because = "" if signal else "; the simple models are at chance too"
        yield Passed(
            observed=f"validation {curves.metric} {groups[0].middle:.3g}{because}",
            expected=f"above a guess ({baselines.chance:.3g})",
        )


def _groups(curves: Curves) -> tuple[_Ends, ...]:
    """Our whole runs, and the one in the user's loop. Raises Unjudged when none came to its end."""
    theirs = tuple(run for run in curves.runs if run.loop == "user" and run.outcome is Outcome.COMPLETED)
    try:
        ours = user_runs.whole(curves)
    except Unjudged:
        if not theirs:
            raise
        ours = ()
    groups = []
    for runs, whose in ((ours, ""), (theirs, "in your own loop ")):
        values = tuple(v for run in runs if (v := user_runs.last(run.validation_metric)) is not None)
        if values:
            groups.append(_Ends(runs, values, whose))
    if not groups:
        raise Unjudged("no run ended with a finite validation metric")
    return tuple(groups)


def _at_chance(
    ends: _Ends, curves: Curves, baselines: Baselines, best: tuple[str, float], *, sign: float
) -> Finding | None:
    margin = AT_CHANCE * max(curves.standard_error or 0.0, baselines.standard_error)
    flags = [sign * (value - baselines.chance) <= margin for value in ends.values]
    if not (all(flags) if len(flags) < user_runs.ENOUGH_SEEDS else user_runs.enough(flags)):
        return None
    control = bool(ends.whose) and own_loop.worse_than_ours(curves)
    observed = f"validation {curves.metric} {ends.middle:.3g}"
    trained = user_runs.middle(user_runs.last(run.train_metric) for run in ends.runs)
    return _finding(
        title=f"After the whole run {ends.whose}the model is no better than a guess",
        message=f"After the whole run {ends.whose}{observed} is that of a guess ({baselines.chance:.3g}), while a "
        f"{best[0]} reaches {best[1]:.3g}."
        + (f" On training rows it is {trained:.3g}." if trained is not None else "")
        + (" In our loop the same configuration learns." if control else ""),
        severity=Severity.ERROR,
        confidence=Confidence.HIGH if len(flags) >= user_runs.ENOUGH_SEEDS or control else Confidence.MEDIUM,
        observed=observed,
        expected=f"better than {baselines.chance:.3g}",
        explains=("underfitting", "loss-plateaus"),
        whose=ends.whose,
    )


def _below(ends: _Ends, curves: Curves, baselines: Baselines, simple: list[Score], *, sign: float) -> Finding | None:
    yardsticks = [score for score in simple if score.name in YARDSTICKS]
    best = max(yardsticks, key=lambda score: sign * score.validation, default=None)
    if best is None:
        return None
    noise = BELOW * max(curves.standard_error or 0.0, baselines.standard_error)
    least = MATTERS if user_runs.is_share(curves) else MATTERS * abs(best.validation)
    flags = [sign * (best.validation - value) > max(noise, least) for value in ends.values]
    if not user_runs.enough(flags):
        return None
    improving = user_runs.classed(ends.runs, "still_improving")
    observed = f"validation {curves.metric} {ends.middle:.3g}"
    return _finding(
        title=f"A {_words(best)} does better",
        message=f"After the whole run {ends.whose}{observed} stays below the {best.validation:.3g} of a {_words(best)}."
        + (" It was still rising when the run ended." if improving else ""),
        severity=Severity.INFO if improving else Severity.WARNING,
        confidence=Confidence.LOW if improving else Confidence.MEDIUM,
        observed=observed,
        expected=f"at least {best.validation:.3g}",
        explains=() if improving else ("underfitting",),
        whose=ends.whose,
    )


def _finding(
    *,
    title: str,
    message: str,
    severity: Severity,
    confidence: Confidence,
    observed: str,
    expected: str,
    explains: tuple[str, ...],
    whose: str,
) -> Finding:
    return Finding(
        title=title,
        message=message,
        severity=severity,
        confidence=confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs", "/steps/preflight/baselines/value/scores"),
        fixes=(
            Fix(
                title="Find the cause first",
                advice="the other findings; where there are none, labels, loss, learning rate and length of the run",
            ),
        ),
        explains=explains,
        key="loop" if whose else "model",
    )


def _words(score: Score) -> str:
    return learnable.WORDS[score.name]
