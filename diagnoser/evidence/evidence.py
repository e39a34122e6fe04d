"""What is in `evidence.json`: the steps, and everything needed to read and repeat them."""

from typing import Literal

from diagnoser.evidence.preflight import Assumption
from diagnoser.evidence.steps import Steps
from diagnoser.records import Record
from diagnoser.spec.fields import SpecSource, TrainingSpec

SCHEMA_VERSION = "1.0"
"""1.0 (2026-11): first form. A minor version adds fields, a major one changes or removes some."""


class StackedTrials(Record):
    """How some of the trials were run: together as one batched model, or one after the other, and why."""

    trials: int
    at_once: int  # 1: one after the other
    because: str  # what the timed probe found, or what forbids stacking


class ExecutionPlan(Record):
    """How the trials were run; the same plan on the same CPU gives the same evidence, measured times aside."""

    executor: Literal["local", "notebook", "curves"]
    processes: int
    threads_per_process: int
    stacked: bool = False
    stacks: tuple[StackedTrials, ...] = ()  # by size and reason, the most trials first
    trials_run: int = 0
    trials_from_cache: int = 0


class Run(Record):
    """When, how and at what cost."""

    created: str  # ISO 8601, UTC
    seed: int
    preset: str
    budget_minutes: float
    used_seconds: float
    sandbox: str  # process, landlock, bwrap; notebook
    plan: ExecutionPlan
    command: str  # how to run it again


EditName = Literal[
    "drop-final-activation", "insert-relu", "register-layers", "dropout-by-mode", "keep-graph", "all-parameters",
    "clear-gradients", "step-optimizer", "schedule-after-step", "train-mode", "eval-mode", "keep-numbers",
    "clip-before-step", "divide-loss", "descend", "turn-sign",
]  # fmt: skip


class SourceEdit(Record):
    """A change of the user's own files that could be made in one place for certain; whether it is due, rules say."""

    name: EditName
    subject: str | None = None  # the attribute or the activation that it is about, of which there may be several
    file: str  # relative to the folder; of several files the first
    line: int
    diff: str  # unified


class Source(Record):
    """The user's code, as it was."""

    folder: str
    hash: str  # of the files' bytes
    code_hash: str = ""  # of what they say, comments and layout left out; empty: not told
    files: tuple[str, ...] = ()  # those that the child imported, relative to the folder
    edits: tuple[SourceEdit, ...] = ()  # found by reading these files
    git_commit: str | None = None
    git_dirty: bool | None = None


class Environment(Record):
    """What it ran on."""

    python: str
    torch: str
    packages: dict[str, str]
    platform: str
    device: str
    cpu_count: int
    source: Source
    data_fingerprint: str


class Evidence(Record):
    """Everything that was measured in one run."""

    schema_version: str = SCHEMA_VERSION
    engine_version: str
    spec: TrainingSpec
    spec_source: SpecSource
    assumptions: tuple[Assumption, ...]
    run: Run
    environment: Environment
    steps: Steps
