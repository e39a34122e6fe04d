"""How is a diagnosis made on one machine? Measure, judge, treat, judge again, print."""

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from diagnoser import programs
from diagnoser.errors import EngineError, UsageError
from diagnoser.evidence.evidence import Environment, Evidence, ExecutionPlan, Run, Source
from diagnoser.evidence.outcome import Measured, NotMeasured, Reason, measured
from diagnoser.evidence.steps import Curves, Steps
from diagnoser.findings import Diagnosis, Finding
from diagnoser.protocol import estimate as cost
from diagnoser.protocol import preflight
from diagnoser.protocol.curves import standard_error
from diagnoser.protocol.estimate import Estimate
from diagnoser.protocol.events import Event
from diagnoser.protocol.executor import Executor
from diagnoser.protocol.log_curves import LoggedRun
from diagnoser.protocol.prices import priced
from diagnoser.protocol.session import Session
from diagnoser.sandbox import units
from diagnoser.sandbox.levels.level import Level
from diagnoser.sandbox.limits import LOAD_SECONDS
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import Data, Factory, SpecSource, TrainingSpec
from diagnoser.trials import Trial, TrialResult
from diagnoser.version import ENGINE_VERSION

LOAD_VARIABLE = "DIAGNOSER_LOAD_SECONDS"
ONE_RUN_SECONDS = 10.0  # more than its limit: building the model and looking at the loss may be slow
SHORTEST_LOAD = 10.0  # seconds; importing torchvision or transformers takes some of them, whatever the budget


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is diagnosed, and how the evidence names it."""

    spec: TrainingSpec
    source: SpecSource
    command: str
    sandbox: Level | Literal["notebook"] = "process"  # a level that this machine reaches


def run(
    job: Job,
    *,
    cache: Path | None,
    on_event: Callable[[Event], None],
    on_problem: Callable[[str], None],
    stacking: bool = True,
) -> Diagnosis:
    """Diagnose in child processes on this machine; `on_problem` is told in words what harms no result.

    `stacking=False` trains one trial after the other, even where several at once would be faster.
    Raises UserCodeError when no model or no batch can be built, EngineError for a fault of ours.
    """
    started = time.monotonic()
    limit = load_seconds(job.spec)
    folder = Path(job.source.folder)
    level = "process" if job.sandbox == "notebook" else job.sandbox
    with LocalExecutor(
        job.spec, folder=folder, cache=cache, load_seconds=limit, stacking=stacking, level=level
    ) as executor:
        diagnosis = diagnose(job, executor, kind="local", started=started, on_event=on_event)
        for problem in executor.problems:
            on_problem(problem)
        return diagnosis


def diagnose(
    job: Job, executor: Executor, *, kind: str, started: float, on_event: Callable[[Event], None]
) -> Diagnosis:
    """Walk the protocol with any executor, and judge what it measured."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    environment = executor.open()

    def evidence(steps: Steps) -> Evidence:
        return _evidence(job, executor, environment, steps, kind=kind, created=created, started=started)

    def draft(steps: Steps) -> tuple[Finding, ...]:
        return judge(evidence(steps)).findings

    session = Session(job.spec, executor, draft, on_event, started)
    return judge(evidence(session.run()))


def estimate(spec: TrainingSpec, source: SpecSource, *, level: Level = "process") -> Estimate:
    """What a diagnosis would run and cost here: the preflight is done, the steps after it are only walked."""
    program, started = time.process_time(), time.monotonic()
    limit = load_seconds(spec)
    with LocalExecutor(spec, folder=Path(source.folder), cache=None, load_seconds=limit, level=level) as executor:
        environment = executor.open()
        opening = time.monotonic() - started
        session = Session(spec, executor, _no_draft, _ignore, started)
        session.look()
        seconds = time.monotonic() - started - opening
        small_set = _one(cost.one_run(spec, session.steps), executor)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        job = Job(spec=spec, source=source, command="diagnoser plan", sandbox=level)
        evidence = _evidence(job, executor, environment, session.steps, kind="local", created=created, started=started)
        began = time.monotonic()
        draft = judge(evidence).findings
        prices = priced(session.steps, program=program, opening=opening, judging=time.monotonic() - began)
        processes = executor.processes
    return cost.estimate(
        spec,
        session.steps,
        draft,
        prices=prices,
        processes=processes,
        form=lambda work: [unit.pieces for unit in units.form(work, processes=processes)],
        preflight_seconds=seconds,
        small_set=small_set,
    )


def load_seconds(spec: TrainingSpec) -> float:
    """How long the user's imports, data and first model may take: DIAGNOSER_LOAD_SECONDS, else a default.

    The default is never more than the budget: a model that is not there by then leaves nothing to measure.
    Raises UsageError for a value that is no number of seconds.
    """
    asked = os.environ.get(LOAD_VARIABLE)
    if asked is None:
        return min(LOAD_SECONDS, max(SHORTEST_LOAD, spec.budget.minutes * 60))
    try:
        seconds = float(asked)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"{LOAD_VARIABLE}={asked}: write a number of seconds, for example 300")
    return seconds


def evidence_of_logs(logs: Sequence[LoggedRun], paths: Sequence[Path], *, validation_rows: int) -> Evidence:
    """Evidence that holds the curves of runs made elsewhere, and nothing else; 0 validation rows: not known.

    Raises UsageError when the logs cannot be seeds of one configuration.
    """
    if len({log.metric for log in logs}) > 1:
        metrics = ", ".join(f"{path}: {log.metric}" for path, log in zip(paths, logs, strict=True))
        raise UsageError(f"the logs are judged by different metrics ({metrics}); read them one by one")
    because = "a log tells only what its curves show"
    first = logs[0]
    called = " ".join(path.name for path in paths)
    curves = Curves(
        metric=first.metric,
        higher_is_better=first.higher_is_better,
        standard_error=standard_error(first.metric, [one for log in logs for one in log.ends], validation_rows),
        validation_rows=validation_rows,
        updates_per_epoch=first.updates_per_epoch,
        planned_updates=min(log.run.updates for log in logs),
        runs=tuple(log.run.model_copy(update={"seed": seed}) for seed, log in enumerate(logs)),
    )
    missing = NotMeasured(reason=Reason.UNSUPPORTED, because=because)
    names = [name for name in Steps.model_fields if name not in {"preflight", "curves"}]
    steps = {"preflight": preflight.nothing(because, Reason.UNSUPPORTED), **dict.fromkeys(names, missing)}
    nowhere = Factory(factory="log:none")
    return Evidence(
        engine_version=ENGINE_VERSION,
        spec=TrainingSpec(name=called, model=nowhere, data=Data(factory="log:none")),
        spec_source=SpecSource(file=called),
        assumptions=(),
        run=Run(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=0,
            preset="curves",
            budget_minutes=0.0,
            used_seconds=0.0,
            sandbox="none",
            plan=ExecutionPlan(executor="curves", processes=0, threads_per_process=0),
            command=f"diagnoser curves {called}",
        ),
        environment=Environment(
            python="unknown",
            torch="unknown",
            packages={},
            platform="unknown",
            device="unknown",
            cpu_count=0,
            source=Source(folder=".", hash="none"),
            data_fingerprint="none",
        ),
        steps=Steps.model_validate({**steps, "curves": measured(curves, seconds=0.0)}),
    )


def judge(evidence: Evidence) -> Diagnosis:
    """Have the rules judge what was measured."""
    try:
        return Diagnosis.model_validate_json(programs.run("rules", "judge", "-", text=evidence.model_dump_json()))
    except (UsageError, ValidationError) as error:  # both are ours: the user has written neither side
        raise EngineError(f"the judge and the diagnoser do not agree on their files: {error}") from error


def write(diagnosis: Diagnosis, folder: Path) -> tuple[Path, ...]:
    """Write `evidence.json`, `diagnosis.json` and `report.html` into a folder; each is there whole or not at all.

    Raises UsageError when the folder or a file cannot be written.
    """
    evidence = Evidence.model_validate({name: getattr(diagnosis, name) for name in Evidence.model_fields})
    text = diagnosis.model_dump_json()
    contents = {
        "evidence.json": evidence.model_dump_json(indent=1),
        "diagnosis.json": diagnosis.model_dump_json(indent=1),
        "report.html": programs.run("reports", "--format", "html", "-", text=text),
    }
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            half = folder / f".{name}.part"
            half.write_text(content, encoding="utf-8")
            paths.append(half.replace(folder / name))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}") from None
    return tuple(paths)


def _ignore(_event: Event) -> None:
    """Estimates show no progress."""


def _one(trial: Trial, executor: Executor) -> TrialResult | None:
    """Run one trial, unless it hangs."""
    (result,) = executor.run(
        (trial,), deadline=time.monotonic() + ONE_RUN_SECONDS + 2 * (trial.max_seconds or 0.0), on_result=_no_result
    )
    return result if isinstance(result, TrialResult) else None


def _no_result(_index: int, _result: object) -> None:
    """Estimates show no progress."""


def _no_draft(_steps: Steps) -> tuple[Finding, ...]:
    """Nothing is judged before the preflight is done."""
    return ()


def _evidence(
    job: Job,
    executor: Executor,
    environment: Environment,
    steps: Steps,
    *,
    kind: str,
    created: str,
    started: float,
) -> Evidence:
    assumed = steps.preflight.assumptions
    return Evidence.model_validate(
        {
            "engine_version": ENGINE_VERSION,
            "spec": job.spec,
            "spec_source": job.source,
            "assumptions": assumed.value.assumed if isinstance(assumed, Measured) else (),
            "run": Run(
                created=created,
                seed=job.spec.seed,
                preset=job.spec.protocol.preset,
                budget_minutes=job.spec.budget.minutes,
                used_seconds=time.monotonic() - started,
                sandbox=job.sandbox,
                plan=ExecutionPlan.model_validate(
                    {
                        "executor": kind,
                        "processes": executor.processes,
                        "threads_per_process": executor.threads_per_process,
                        "stacked": any(stack.at_once > 1 for stack in executor.stacks),
                        "stacks": executor.stacks,
                        "trials_run": executor.trials_run,
                        "trials_from_cache": executor.trials_from_cache,
                    }
                ),
                command=job.command,
            ),
            "environment": environment,
            "steps": steps,
        }
    )
