"""What is the whole worth in one word, and what does that word cover?"""

from collections.abc import Sequence

from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.outcome import Measured, NotMeasured, Reason
from diagnoser.evidence.steps import Preflight, Steps
from diagnoser.findings import Confidence, Finding, Severity, Verdict

FIRST_STEPS = ("initial_loss", "overfit", "lr_scan")
DEMANDED: dict[str, tuple[str, ...]] = {
    "quick": FIRST_STEPS,
    "standard": (*FIRST_STEPS, "coarse_search", "curves"),
    "thorough": (*FIRST_STEPS, "coarse_search", "fine_search", "curves"),
}
"""The steps that a preset promises (DESIGN 6); without one of them nothing can be called healthy."""
DEMANDED_PROBES = ("data", "model", "loss", "optimizer")
"""The probes whose rules hold by definition; the others only add to what the steps see."""
GAPS = frozenset({Reason.BUDGET, Reason.USER_ERROR, Reason.WORKER_LOST, Reason.ENGINE_ERROR})
"""What leaves a hole. A step that does not suit the model leaves none, and one that waits for another is that one's."""
WORDS = {
    "preflight": "preflight",
    "initial_loss": "initial loss",
    "overfit": "small set",
    "lr_scan": "learning-rate scan",
    "coarse_search": "coarse search",
    "fine_search": "fine search",
    "curves": "curves",
}
WHY = {
    Reason.BUDGET: "the budget ended",
    Reason.USER_ERROR: "your code failed",
    Reason.UNSUPPORTED: "it does not suit this model",
    Reason.DEPENDENCY: "an earlier step is missing",
    Reason.WORKER_LOST: "the machine was lost",
    Reason.ENGINE_ERROR: "our engine failed",
}
Outcome = Measured | NotMeasured  # type: ignore[type-arg]  # of any record: only its status is read here


def verdict(findings: Sequence[Finding], evidence: Evidence) -> Verdict:
    """Broken, impaired, inconclusive or healthy (DESIGN 7)."""
    sure = {finding.severity for finding in findings if finding.confidence is not Confidence.LOW}
    if Severity.ERROR in sure:
        return Verdict.BROKEN
    if Severity.WARNING in sure:
        return Verdict.IMPAIRED
    return Verdict.INCONCLUSIVE if gaps(evidence) else Verdict.HEALTHY


def gaps(evidence: Evidence) -> dict[str, NotMeasured]:
    """What the preset demands and is missing, by name; a step cut short by the budget is measured."""
    return {name: outcome for name, outcome in _missing(evidence).items() if outcome.reason in GAPS}


def user_code_failed(evidence: Evidence) -> tuple[str, ...]:
    """The demanded steps in which the user's code raised."""
    return tuple(name for name, missing in gaps(evidence).items() if missing.reason is Reason.USER_ERROR)


def scope(evidence: Evidence, word: Verdict) -> str:
    """The verdict and what it covers: "healthy in what could be seen: steps 0-3 and 12 % of one epoch"."""
    measured, missing = _measured(evidence.steps), _missing(evidence)
    seen = _seen(evidence, measured)
    whole = not missing and all(_is_whole(evidence, name) for name in measured)
    words = f"{word.value}: {seen}" if whole else f"{word.value} in what could be seen: {seen}"
    absent = "; ".join(f"{WORDS.get(name, name)} ({WHY[outcome.reason]})" for name, outcome in missing.items())
    return f"{words}; not measured: {absent}" if absent else words


def _demanded(evidence: Evidence) -> dict[str, Outcome]:
    if evidence.run.plan.executor == "curves":
        return {"curves": evidence.steps.curves}
    probes = {name: getattr(evidence.steps.preflight, name) for name in DEMANDED_PROBES}
    names = DEMANDED.get(evidence.run.preset, DEMANDED["standard"])
    return probes | {name: getattr(evidence.steps, name) for name in names}


def _measured(steps: Steps) -> tuple[str, ...]:
    return tuple(name for name in WORDS if _step_measured(steps, name))


def _step_measured(steps: Steps, name: str) -> bool:
    if name == "preflight":
        return any(isinstance(getattr(steps.preflight, probe), Measured) for probe in Preflight.model_fields)
    return isinstance(getattr(steps, name), Measured)


def _missing(evidence: Evidence) -> dict[str, NotMeasured]:
    return {name: outcome for name, outcome in _demanded(evidence).items() if isinstance(outcome, NotMeasured)}


def _is_whole(evidence: Evidence, name: str) -> bool:
    outcome = getattr(evidence.steps, name)
    if not isinstance(outcome, Measured):
        return True
    return outcome.rows_used >= 1 and (name != "curves" or outcome.fraction_of_run >= 1)


def _seen(evidence: Evidence, measured: tuple[str, ...]) -> str:
    """Steps as numbers, 0 is the preflight; the run itself as a share of what the user asked for."""
    numbers = [number for number, name in enumerate(WORDS) if name in measured and name != "curves"]
    parts = [_steps(numbers)] if numbers else []
    curves = evidence.steps.curves
    if isinstance(curves, Measured):
        parts.append(_share_of_run(evidence, curves.fraction_of_run))
    if not parts:
        return "nothing"
    rows = min((_rows(evidence, name) for name in measured), default=1.0)
    return " and ".join(parts) + (
        f", with {_percent(rows)} of the training rows in the shortest step" if rows < 1 else ""
    )


def _steps(numbers: list[int]) -> str:
    """[0, 1, 2, 3, 5] -> "steps 0-3, 5"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    noun = "step" if len(numbers) == 1 else "steps"
    return f"{noun} {', '.join(words)}"


def _share_of_run(evidence: Evidence, fraction: float) -> str:
    if fraction >= 1:
        return "the whole run"
    assumed = evidence.steps.preflight.assumptions
    if isinstance(assumed, Measured) and assumed.value.updates_per_epoch > 0:
        epochs = fraction * assumed.value.total_updates / assumed.value.updates_per_epoch
        return (
            f"{_percent(epochs)} of one epoch"
            if epochs < 1
            else f"{epochs:.1f} epochs ({_percent(fraction)} of the run)"
        )
    return f"{_percent(fraction)} of the run"


def _rows(evidence: Evidence, name: str) -> float:
    outcome = getattr(evidence.steps, name)
    return outcome.rows_used if isinstance(outcome, Measured) else 1.0


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{round(100 * share)} %"
