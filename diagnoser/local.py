"""How is a diagnosis made on one machine? Measure, judge, treat, judge again, print."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from diagnoser import programs
from diagnoser.evidence.evidence import Environment, Evidence, ExecutionPlan, Run, Source
from diagnoser.evidence.outcome import Measured, NotMeasured, Reason, measured
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.evidence.steps import CurveRun, Curves, Steps
from diagnoser.findings import Diagnosis, Finding
from diagnoser.protocol import estimate as cost
from diagnoser.protocol import preflight
from diagnoser.protocol.allowance import Allowance
from diagnoser.protocol.estimate import Estimate
from diagnoser.protocol.events import Event
from diagnoser.protocol.executor import Executor
from diagnoser.protocol.session import Session, unmeasured
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.fields import Data, Factory, SpecSource, TrainingSpec
from diagnoser.version import ENGINE_VERSION


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is diagnosed, and how the evidence names it."""

    spec: TrainingSpec
    source: SpecSource
    command: str
    sandbox: str = "process"


def run(job: Job, *, cache: Path | None, on_event: Callable[[Event], None]) -> Diagnosis:
    """Diagnose in child processes on this machine.

    Raises UserCodeError when no model or no batch can be built, EngineError for a fault of ours.
    """
    started = time.monotonic()
    with LocalExecutor(job.spec, folder=Path(job.source.folder), cache=cache) as executor:
        return diagnose(job, executor, kind="local", started=started, on_event=on_event)


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


def estimate(spec: TrainingSpec, source: SpecSource) -> Estimate:
    """What a diagnosis would run and cost here, after timing a few steps in a child process."""
    with LocalExecutor(spec, folder=Path(source.folder), cache=None) as executor:
        executor.open()
        allowance = Allowance(seconds=spec.budget.minutes * 60)
        probes = preflight.plan(spec, preflight.FIRST, allowance=allowance)
        results = executor.run(probes, deadline=time.monotonic() + spec.budget.minutes * 60, on_result=_ignore)
        answers = tuple(result for result in results if isinstance(result, ProbeResult))
        preflight.raise_for_user_code(probes, answers)
        steps = unmeasured()
        steps = steps.model_copy(update={"preflight": preflight.read(steps.preflight, probes, answers)})
        return cost.estimate(spec, steps, processes=executor.processes)


def evidence_of_log(run: CurveRun, path: Path) -> Evidence:
    """Evidence that holds the curves of a run made elsewhere, and nothing else."""
    because = "a log tells only what its curves show"
    curves = Curves(
        metric="metric",
        higher_is_better=True,
        standard_error=None,
        validation_rows=0,
        updates_per_epoch=max(1, run.updates // max(1, len(run.epochs))),
        planned_updates=run.updates,
        runs=(run,),
    )
    missing = NotMeasured(reason=Reason.UNSUPPORTED, because=because)
    names = [name for name in Steps.model_fields if name not in {"preflight", "curves"}]
    steps = {"preflight": preflight.nothing(because, Reason.UNSUPPORTED), **dict.fromkeys(names, missing)}
    nowhere = Factory(factory="log:none")
    return Evidence(
        engine_version=ENGINE_VERSION,
        spec=TrainingSpec(name=path.name, model=nowhere, data=Data(factory="log:none")),
        spec_source=SpecSource(file=path.name),
        assumptions=(),
        run=Run(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=0,
            preset="curves",
            budget_minutes=0.0,
            used_seconds=0.0,
            sandbox="none",
            plan=ExecutionPlan(executor="curves", processes=0, threads_per_process=0),
            command=f"diagnoser curves {path.name}",
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
    return Diagnosis.model_validate_json(programs.run("rules", "judge", "-", text=evidence.model_dump_json()))


def write(diagnosis: Diagnosis, folder: Path) -> tuple[Path, ...]:
    """Write `evidence.json`, `diagnosis.json` and `report.html` into a folder; each is there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    evidence = Evidence.model_validate({name: getattr(diagnosis, name) for name in Evidence.model_fields})
    text = diagnosis.model_dump_json()
    contents = {
        "evidence.json": evidence.model_dump_json(indent=1),
        "diagnosis.json": diagnosis.model_dump_json(indent=1),
        "report.html": programs.run("reports", "--format", "html", "-", text=text),
    }
    paths = []
    for name, content in contents.items():
        half = folder / f".{name}.part"
        half.write_text(content, encoding="utf-8")
        paths.append(half.replace(folder / name))
    return tuple(paths)


def _ignore(_index: int, _result: object) -> None:
    """Estimates show no progress."""


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
