"""Where did the time of a diagnosis go, and what is it beside the bare time of its steps?"""

from collections.abc import Mapping
from typing import Any

from benchmarks import in_full, reporting
from benchmarks.in_full import Kind, Updates
from benchmarks.recorded import Recorded, Stage

COLUMNS = ("seconds", "trials", "stacked", "updates_taken", "updates_planned", "bare_seconds_taken", "training",
           "evaluations", "probes", "rest_of_children", "outside_children")  # fmt: skip


def account(recorded: Recorded, cost: Mapping[Kind, float]) -> dict[str, Any]:
    """Hold one diagnosis against its steps; `cost`: bare seconds of an update."""
    spec = recorded.evidence.spec
    planned = in_full.in_full(recorded.stages, spec)
    all_taken, all_planned = in_full.taken(recorded.stages, spec), in_full.together(planned)
    bare_taken, bare_planned = in_full.seconds(all_taken, cost), in_full.seconds(all_planned, cost)
    return {
        "seconds": recorded.seconds,
        "updates_taken": all_taken.total(),
        "updates_planned": all_planned.total(),
        "bare_seconds_taken": bare_taken,
        "bare_seconds_planned": bare_planned,
        "over_taken": recorded.seconds / bare_taken,
        "over_planned": recorded.seconds / bare_planned,
        "bare_ms_per_update": {f"{kind.rows} rows": 1e3 * seconds for kind, seconds in sorted(cost.items())},
        "processes": recorded.processes,
        "threads_per_process": recorded.threads_per_process,
        "stacks": [one.model_dump() for one in recorded.stacks],
        "verdict": recorded.verdict,
        "findings": list(recorded.findings),
        "cut": list(in_full.cut(recorded)),
        "breakdown": [_stage(stage, planned[stage.name], recorded, cost) for stage in recorded.stages],
    }


def _stage(stage: Stage, planned: Updates, recorded: Recorded, cost: Mapping[Kind, float]) -> dict[str, Any]:
    """Training, evaluations (estimated), probes and rest are of all processes together; the others are wall time."""
    spec, system = recorded.evidence.spec, recorded.evidence.steps.preflight.system
    one_evaluation = system.value.seconds_per_evaluation if system.status == "measured" else 0.0
    training = sum(one.result.seconds for one in stage.ran)
    evaluations = one_evaluation * sum(len(one.result.evaluations) for one in stage.ran)
    taken = in_full.taken([stage], spec)
    return {
        "stage": stage.name,
        "seconds": stage.seconds,
        "trials": len(stage.ran),
        "stacked": sum(one.result.stacked > 1 for one in stage.ran),
        "updates_taken": taken.total(),
        "updates_planned": planned.total(),
        "bare_seconds_taken": in_full.seconds(taken, cost),
        "training": training,
        "evaluations": evaluations,
        "probes": stage.probe_seconds,
        "rest_of_children": recorded.processes * stage.in_children - training - evaluations - stage.probe_seconds,
        "outside_children": stage.seconds - stage.in_children,
    }


def show(workload: str, way: str, run: Mapping[str, Any]) -> None:
    """Print where the time went."""
    costs = ", ".join(f"{rows} {ms:.2f} ms" for rows, ms in run["bare_ms_per_update"].items())
    worked = f"{run['processor_seconds']:.1f} s of processors"
    print(f"\n{workload}, {way}: {run['seconds']:.1f} s, {worked}; a bare update: {costs}")
    reporting.print_columns(
        ["stage", *(name.replace("_", " ") for name in COLUMNS)],
        [[one["stage"], *(_cell(one[name]) for name in COLUMNS)] for one in run["breakdown"]],
    )
    for stack in run["stacks"]:
        print(f"  {stack['trials']} trials, {stack['at_once']} at once: {stack['because']}")


def _cell(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
