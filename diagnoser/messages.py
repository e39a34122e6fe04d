"""What do the supervisor and the child say to one another? A JSON line per request, a file per result and answer."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from diagnoser.evidence.evidence import Environment, StackedTrials
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Probe, Trial, TrialResult

Work = Trial | Probe
Result = TrialResult | ProbeResult

MOST_TRIALS = 16  # in one request; a stack gains nothing beyond (research/performance.md, stack size on a CPU)


class Load(Record):
    """Import the user's code, build the data and one model. Always the first request."""

    kind: Literal["load"] = "load"
    number: int
    seconds: float  # the supervisor ends the child after them, counted from when the user's code began
    spec: TrainingSpec
    folder: str


class Perform(Record):
    """Do a probe, or trials of one kind, which may be trained together."""

    kind: Literal["perform"] = "perform"
    number: int
    until: float  # time.monotonic(), one clock for both processes: the supervisor ends the child then
    threads: int
    work: tuple[Work, ...]
    largest_stack: int | None = None  # None: as many as fit and pay; 1: one after the other


Request = Annotated[Load | Perform, Field(discriminator="kind")]


class Loaded(Record):
    """A model and a batch could be built."""

    kind: Literal["loaded"] = "loaded"
    environment: Environment
    cuda_devices: int  # that this workload could use; 0 on a CPU


class Refused(Record):
    """The user's code gave no model or no batch; `message` and `traceback` are shown to the user."""

    kind: Literal["refused"] = "refused"
    message: str
    traceback: str


class Part(Record):
    """The result of one piece of work, told as soon as it is there."""

    index: int  # in the request
    result: Result
    files: tuple[str, ...] = ()  # the user's files that are imported by now, relative to their folder


class Done(Record):
    """The work has ended, and each result was told; where the process is `spent`, some may be missing."""

    kind: Literal["done"] = "done"
    stacks: tuple[StackedTrials, ...] = ()
    spent: bool = False  # the process can do no further work (a CUDA context that is lost): start another


class Failed(Record):
    """Our own failure."""

    kind: Literal["failed"] = "failed"
    message: str
    traceback: str


Spoken = Loaded | Refused | Done | Failed
Answer = Annotated[Spoken, Field(discriminator="kind")]

REQUEST: TypeAdapter[Load | Perform] = TypeAdapter(Request)
ANSWER: TypeAdapter[Spoken] = TypeAdapter(Answer)
PART: TypeAdapter[Part] = TypeAdapter(Part)


def answer_file(number: int) -> str:
    """Name the file that answers a request, in the child's output folder."""
    return f"{number}.json"


def part_file(number: int, *, count: int) -> str:
    """Name the file of the result that comes after `count` others of its request."""
    return f"{number}.{count}.json"


BELL_FILE = "bell"
"""A FIFO: the child writes a byte into it whenever there is something to read."""


FAULTS_FILE = "faults.txt"
"""Where the child's faulthandler writes the stack of a crash, or of work that is about to be ended for its time."""
