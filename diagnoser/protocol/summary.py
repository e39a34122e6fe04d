"""What did a step find, in one line for the progress display? Facts, no judgement."""

from diagnoser.evidence.outcome import Measured, NotMeasured
from diagnoser.evidence.steps import (
    Curves,
    InitialLoss,
    LrScan,
    Overfit,
    Preflight,
    Search,
    Treatments,
)
from diagnoser.protocol.events import StepName
from diagnoser.protocol.lr_scan import ENOUGH_UPDATES
from diagnoser.protocol.smoothing import finite, middle

CUT_OFF = ("length", "time")
"""A run that ended otherwise was not cut short by the budget."""


def words(name: StepName, outcome: Measured[InitialLoss] | NotMeasured | object) -> str:
    """One line about a step's outcome."""
    if isinstance(outcome, NotMeasured):
        return f"not measured: {outcome.because}"
    value = outcome.value if isinstance(outcome, Measured) else None
    match value:
        case InitialLoss():
            guess = f"a guess has {value.chance:.4g}" if value.chance is not None else "no theory for this loss"
            start = _show(middle(value.observed)) if finite(value.observed) else "NaN or infinity"
            return f"starts at {start}; {guess}"
        case Overfit():
            plain = [a for a in value.attempts if a.control == "none" and not a.regularised and a.lr == value.user_lr]
            passed = sum(a.memorised for a in plain)
            late = sum(a.stopped_by == "time" for a in plain)
            cut = f"; {_count(late, 'run')} ran out of time" if late else ""
            return f"{passed} of {len(plain)} runs memorised {value.rows} rows at lr {value.user_lr:.3g}{cut}"
        case LrScan():
            best = "no lr lowered the loss" if value.proposal is None else f"lowest loss at lr {value.proposal:.3g}"
            short = f"; shortened to {_count(value.updates, 'update')}" if value.updates < ENOUGH_UPDATES else ""
            return f"{best}; yours is {value.user_lr:.3g}{short}"
        case Search():
            best_trial = value.trials[value.best] if value.best is not None else None
            got = _show(best_trial.validation_metric) if best_trial is not None else "nothing"
            return f"{_count(len(value.trials), 'trial')}; best {value.metric} {got}"
        case Curves():
            ends = [run.validation_metric[-1] for run in value.runs if run.validation_metric]
            longest = max((run.updates for run in value.runs), default=0)
            ended = any(run.stopped_by not in CUT_OFF for run in value.runs)  # by itself, however early
            short = (
                "" if ended or longest >= value.planned_updates else f"; {longest} of {value.planned_updates} updates"
            )
            return f"{_count(len(value.runs), 'run')}; validation {value.metric} {_show(middle(ends))}{short}"
        case Treatments():
            left_out = f", {len(value.skipped)} left out" if value.skipped else ""
            return f"{_count(len(value.treatments), 'fix')} tried{left_out}"
        case _:
            return name


def preflight(outcomes: Preflight) -> str:
    """How many probes came back."""
    values = [getattr(outcomes, field) for field in Preflight.model_fields]
    measured = sum(isinstance(value, Measured) for value in values)
    return f"{measured} of {len(values)} probes answered"


def _count(number: int, word: str) -> str:
    plural = f"{word}es" if word.endswith("x") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"


def _show(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
