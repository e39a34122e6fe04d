"""Step 0: what can be seen without training?"""

from collections.abc import Sequence

from diagnoser.errors import UserCodeError
from diagnoser.evidence.outcome import NotMeasured, Reason, measured
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.evidence.steps import Preflight
from diagnoser.protocol.allowance import Allowance
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import CUT_SHORT, Outcome, Probe, ProbeKind, UserError

UNSUPPORTED = "Unsupported"
"""The class that `training` raises for what has no meaning here: nothing of the user's failed."""

FIRST = (ProbeKind.ASSUMPTIONS, ProbeKind.SYSTEM)
"""What every later estimate of cost rests on."""

REST = (
    ProbeKind.DATA,
    ProbeKind.MODEL,
    ProbeKind.LOSS,
    ProbeKind.OPTIMIZER,
    ProbeKind.LOOP,
    ProbeKind.BASELINES,
    ProbeKind.REPEATABILITY,
    ProbeKind.GRADIENT,
)
"""The most telling first."""

SHARE_OF_ONE = 0.5  # of the step's time: no probe may take more


def plan(spec: TrainingSpec, kinds: tuple[ProbeKind, ...], *, allowance: Allowance) -> tuple[Probe, ...]:
    """One probe per kind, each with a limit of its own."""
    limit = max(2.0, SHARE_OF_ONE * allowance.seconds)
    return tuple(Probe(probe=kind, seed=spec.seed, max_seconds=limit) for kind in kinds)


def nothing(because: str, reason: Reason = Reason.DEPENDENCY) -> Preflight:
    """A preflight in which nothing was measured yet."""
    missing = NotMeasured(reason=reason, because=because)
    return Preflight.model_validate({kind.value: missing for kind in ProbeKind})


def read(so_far: Preflight, probes: tuple[Probe, ...], results: tuple[ProbeResult, ...]) -> Preflight:
    """Each probe's value, or why there is none."""
    found = {probe.probe.value: outcome(result) for probe, result in zip(probes, results, strict=True)}
    return Preflight.model_validate({**dict(so_far), **found})


def raise_for_user_code(probes: Sequence[Probe], results: Sequence[ProbeResult]) -> None:
    """Raise UserCodeError, with the user's own traceback, when the workload itself was not understood."""
    for probe, result in zip(probes, results, strict=True):
        if probe.probe is ProbeKind.ASSUMPTIONS and result.value is None:
            error = result.error
            words = _words(error) if error else result.unsupported or result.outcome.value
            raise UserCodeError(words, remote_traceback=error.traceback if error else "")


def _words(error: UserError) -> str:
    """The error in its own words; those that are ours about their code need no name of a class."""
    return error.message if error.kind == UserCodeError.__name__ else f"{error.kind}: {error.message}"


def outcome(result: ProbeResult) -> object:
    """A probe's result as an outcome of evidence."""
    if result.value is not None:
        return measured(result.value, seconds=result.seconds)
    if result.unsupported is not None:
        return NotMeasured(reason=Reason.UNSUPPORTED, because=result.unsupported)
    return failure(
        result.outcome,
        message=result.error.message if result.error else None,
        kind=result.error.kind if result.error else None,
        traceback=result.error.traceback if result.error else None,
    )


def failure(outcome: Outcome, *, message: str | None, kind: str | None, traceback: str | None) -> NotMeasured:
    """Say in the user's words why a piece of work has no value."""
    words = f"{kind}: {message}" if kind and message else (message or "")
    match outcome:
        case Outcome.USER_ERROR if kind == UNSUPPORTED:
            return NotMeasured(reason=Reason.UNSUPPORTED, because=message or "it has no meaning for this workload")
        case Outcome.USER_ERROR:
            ours = kind == UserCodeError.__name__  # our own words about their code, which raised nothing
            because = message if ours and message else f"your code raised {words}"
            return NotMeasured(reason=Reason.USER_ERROR, because=because, traceback=traceback or None)
        case Outcome.TIMED_OUT if traceback and kind != CUT_SHORT:
            because = f"your code did not come back: {message}" if message else "your code did not come back in time"
            return NotMeasured(reason=Reason.USER_ERROR, because=because, traceback=traceback)
        case Outcome.TIMED_OUT:
            because = "the budget ended before this was measured"
            return NotMeasured(reason=Reason.BUDGET, because=because, traceback=traceback or None)
        case Outcome.OUT_OF_MEMORY:
            because = f"the device ran out of memory ({words})" if words else "the device ran out of memory"
            return NotMeasured(reason=Reason.USER_ERROR, because=because, traceback=traceback)
        case Outcome.WORKER_LOST:
            because = (
                f"the process that ran your code died ({words})" if words else "the process that ran your code died"
            )
            return NotMeasured(reason=Reason.WORKER_LOST, because=because, traceback=traceback)
        case _:
            return NotMeasured(reason=Reason.ENGINE_ERROR, because=words or "the probe came back without a value")
