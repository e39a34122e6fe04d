"""What does one diagnosis run, and where does its time go? Diagnoses once, writing everything down.

    python -m benchmarks.recorded SPEC OUT --since T [--unstacked]

The pipeline of `diagnoser run`, with nothing kept from before, and an executor that passes everything on and notes it.
It is a program of its own, so that each diagnosis pays for its own start; T is the time.monotonic() at which the caller
began to wait. OUT becomes a `Recorded` in JSON; writing it is not part of the time.
"""

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from diagnoser import local
from diagnoser.evidence.evidence import Environment, Evidence, StackedTrials
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.messages import Result, Work
from diagnoser.protocol.events import Event
from diagnoser.protocol.executor import Executor, OnResult
from diagnoser.records import Record
from diagnoser.sandbox.limits import Machine, this_machine
from diagnoser.sandbox.local_executor import LocalExecutor
from diagnoser.spec.reading import read_spec
from diagnoser.trials import Trial, TrialResult

CORES = 2  # at most, whatever the machine has: the goals are about two
START, JUDGING, PRINTING = "start", "judging", "printing"  # stages that are no step of the protocol


class Ran(Record):
    """A trial and what came back."""

    trial: Trial
    result: TrialResult


class Stage(Record):
    """A step of the protocol, or what comes before and after them."""

    name: str
    seconds: float  # wall time
    in_children: float = 0.0  # of it, while children worked
    ran: tuple[Ran, ...] = ()
    probe_seconds: float = 0.0


class Recorded(Record):
    """One diagnosis."""

    seconds: float  # wall time, from before the interpreter started until the report was written
    processes: int
    threads_per_process: int
    stacks: tuple[StackedTrials, ...]
    stages: tuple[Stage, ...]
    evidence: Evidence
    verdict: str
    findings: tuple[str, ...]  # the rules


class Stages:
    """Collects stages as they pass; it needs a class because an event says only that a step begins or ends."""

    def __init__(self, *, since: float) -> None:
        self.done: list[Stage] = []
        self._since = since
        self._in_children = self._probe_seconds = 0.0
        self._ran: list[Ran] = []

    def end(self, name: str) -> None:
        """End the stage that has been going on since the last one ended."""
        now = time.monotonic()
        self.done.append(
            Stage(
                name=name,
                seconds=now - self._since,
                in_children=self._in_children,
                ran=tuple(self._ran),
                probe_seconds=self._probe_seconds,
            )
        )
        self._since, self._in_children, self._probe_seconds, self._ran = now, 0.0, 0.0, []

    def on_event(self, event: Event) -> None:
        """Follow the protocol."""
        if event.kind == "step_ended":
            self.end(event.step)

    def note(self, work: Sequence[Work], results: Sequence[Result], *, seconds: float) -> None:
        """Keep what one call of the executor did."""
        self._in_children += seconds
        for piece, result in zip(work, results, strict=True):
            if isinstance(piece, Trial) and isinstance(result, TrialResult):
                self._ran.append(Ran(trial=piece, result=result))
            elif isinstance(result, ProbeResult):
                self._probe_seconds += result.seconds


class Recording:
    """An executor that passes everything on to another one, and notes it."""

    def __init__(self, other: Executor, stages: Stages) -> None:
        self._other = other
        self._stages = stages

    @property
    def processes(self) -> int:
        return self._other.processes

    @property
    def threads_per_process(self) -> int:
        return self._other.threads_per_process

    @property
    def trials_run(self) -> int:
        return self._other.trials_run

    @property
    def trials_from_cache(self) -> int:
        return self._other.trials_from_cache

    @property
    def stacks(self) -> tuple[StackedTrials, ...]:
        return self._other.stacks

    def open(self) -> Environment:
        found = self._other.open()
        self._stages.end(START)
        return found

    def run(self, work: Sequence[Work], *, deadline: float, on_result: OnResult) -> tuple[Result, ...]:
        start = time.monotonic()
        results = self._other.run(work, deadline=deadline, on_result=on_result)
        self._stages.note(work, results, seconds=time.monotonic() - start)
        return results

    def close(self) -> None:
        self._other.close()


def record(spec_file: Path, *, since: float, unstacked: bool, report: Path) -> Recorded:
    """Diagnose as `diagnoser run --no-cache` does; `unstacked`: in one process of one thread, trial after trial."""
    spec, source = read_spec(spec_file)
    job = local.Job(spec=spec, source=source, command=shlex.join(sys.argv))
    stages = Stages(since=since)
    seen = this_machine()
    machine = Machine(cores=min(seen.cores, 1 if unstacked else CORES), memory=seen.memory)
    started = time.monotonic()
    with LocalExecutor(
        spec,
        folder=Path(source.folder),
        cache=None,
        load_seconds=local.load_seconds(spec),
        machine=machine,
        stacking=not unstacked,
    ) as executor:
        recording = Recording(executor, stages)
        diagnosis = local.diagnose(job, recording, kind="local", started=started, on_event=stages.on_event)
        processes, threads, stacks = executor.processes, executor.threads_per_process, executor.stacks
    stages.end(JUDGING)
    local.write(diagnosis, report)
    stages.end(PRINTING)
    return Recorded(
        seconds=time.monotonic() - since,
        processes=processes,
        threads_per_process=threads,
        stacks=stacks,
        stages=tuple(stages.done),
        evidence=Evidence.model_validate({name: getattr(diagnosis, name) for name in Evidence.model_fields}),
        verdict=diagnosis.verdict,
        findings=tuple(finding.rule for finding in diagnosis.findings),
    )


def main() -> int:
    """Diagnose and write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--since", type=float, required=True)
    parser.add_argument("--unstacked", action="store_true")
    asked = parser.parse_args()
    if asked.unstacked and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # what is started from here inherits it
    with tempfile.TemporaryDirectory(prefix="diagnosis-") as report:
        recorded = record(asked.spec, since=asked.since, unstacked=asked.unstacked, report=Path(report))
    asked.out.write_text(recorded.model_dump_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
