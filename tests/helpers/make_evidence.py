"""A whole healthy run: the spec, its file, and an evidence in which each record can be replaced by name."""

from diagnoser.evidence.evidence import Environment, Evidence, ExecutionPlan, Run, Source, StackedTrials
from diagnoser.evidence.outcome import Measured, NotMeasured
from diagnoser.evidence.steps import Preflight, Steps
from diagnoser.records import Record
from diagnoser.spec.fields import Data, Factory, SpecSource, TrainingSpec
from tests.helpers import make_preflight, make_steps
from tests.helpers.healthy import altered

SPEC_TEXT = """\
name: digits
model: project:build_model
data:
  factory: project:build_data
  batch_size: 32
loss: cross_entropy
optimizer:
  name: adam
  lr: 1e-3
epochs: 20
"""
SPEC_LINES = {
    "name": 1, "model": 2, "data": 3, "data.factory": 4, "data.batch_size": 5, "loss": 6, "optimizer": 7,
    "optimizer.name": 8, "optimizer.lr": 9, "epochs": 10,
}  # fmt: skip


def spec(**changes: object) -> TrainingSpec:
    healthy = TrainingSpec.model_validate(
        {
            "name": "digits",
            "model": Factory(factory="project:build_model"),
            "data": Data(factory="project:build_data"),
            "loss": {"name": "cross_entropy"},
            "epochs": make_steps.EPOCHS,
        }
    )
    return altered(healthy, changes)


def spec_source(**changes: object) -> SpecSource:
    return altered(SpecSource(folder="digits", text=SPEC_TEXT, lines=SPEC_LINES), changes)


def run(**changes: object) -> Run:
    return altered(
        Run(
            created="2026-11-03T09:30:00Z",
            seed=0,
            preset="standard",
            budget_minutes=10.0,
            used_seconds=58.0,
            sandbox="process",
            plan=ExecutionPlan(
                executor="local",
                processes=2,
                threads_per_process=1,
                stacked=True,
                stacks=(
                    StackedTrials(trials=60, at_once=8, because="1.4 times as fast as one by one"),
                    StackedTrials(trials=20, at_once=1, because="the first trial fails"),
                ),
                trials_run=90,
            ),
            command="diagnoser run diagnose.yaml",
        ),
        changes,
    )


def environment(**changes: object) -> Environment:
    return altered(
        Environment(
            python="3.11.9",
            torch="2.13.0",
            packages={"numpy": "2.1.0"},
            platform="Linux-x86_64",
            device="cpu",
            cpu_count=2,
            source=Source(folder="digits", hash="sha256:0a1b", files=("project.py",)),
            data_fingerprint="sha256:2c3d",
        ),
        changes,
    )


def preflight(**probes: object) -> Preflight:
    healthy: dict[str, object] = {
        "assumptions": make_preflight.assumptions(),
        "data": make_preflight.data_profile(),
        "baselines": make_preflight.baselines(),
        "model": make_preflight.model_profile(),
        "loss": make_preflight.loss_profile(),
        "gradient": make_preflight.gradient_check(),
        "optimizer": make_preflight.optimizer_profile(),
        "loop": make_preflight.loop_audit(has_loop=False, has_evaluate=False),
        "system": make_preflight.system_profile(),
        "repeatability": make_preflight.repeatability(),
    }
    return Preflight.model_validate({name: _outcome(value) for name, value in (healthy | probes).items()})


def steps(**records: object) -> Steps:
    """Every step measured; `records` by the name of a step or of a probe of the preflight."""
    probes = {name: records.pop(name) for name in Preflight.model_fields if name in records}
    healthy: dict[str, object] = {
        "initial_loss": make_steps.initial_loss(),
        "overfit": make_steps.overfit(),
        "lr_scan": make_steps.lr_scan(),
        "coarse_search": make_steps.coarse_search(),
        "fine_search": make_steps.fine_search(),
        "curves": make_steps.curves(),
        "treatments": make_steps.treatments(),
    }
    return Steps.model_validate(
        {
            "preflight": records.pop("preflight", None) or preflight(**probes),
            **{name: _outcome(value) for name, value in (healthy | records).items()},
        }
    )


def evidence(**records: object) -> Evidence:
    """A healthy run. Replace anything by name: `evidence(overfit=make.overfit(floor=0.5), spec=make.spec(loss=None))`.

    A step or probe may be a record, or a `Measured` or `NotMeasured` of its own.
    """
    probe = records.pop("assumptions", ())  # the record is the probe's; a tuple is the summary at the top of the file
    if not isinstance(probe, tuple):
        records["assumptions"] = probe
    top = {name: records.pop(name) for name in Evidence.model_fields if name in records and name != "assumptions"}
    made: dict[str, object] = {
        "engine_version": "0.1.0",
        "spec": spec(),
        "spec_source": spec_source(),
        "assumptions": probe if isinstance(probe, tuple) else (),
        "run": run(),
        "environment": environment(),
    }
    if "steps" not in top:
        made["steps"] = steps(**records)
    return Evidence.model_validate(made | top)


def _outcome(value: object) -> object:
    if isinstance(value, Record) and not isinstance(value, Measured | NotMeasured):
        return {"status": "measured", "seconds": 1.0, "value": value}
    return value
