"""What do the supervisor and the child say to one another? One JSON line per request, one file per answer."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from diagnoser.evidence.evidence import Environment
from diagnoser.evidence.preflight import ProbeResult
from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Probe, Trial, TrialResult

Work = Trial | Probe
Result = TrialResult | ProbeResult


class Load(Record):
    """Import the user's code, build the data and one model. Always the first request."""

    kind: Literal["load"] = "load"
    number: int
    seconds: float  # the supervisor ends the child after them, counted from when the user's code began
    spec: TrainingSpec
    folder: str


class Perform(Record):
    """Do a batch of work; today's batches hold one piece."""

    kind: Literal["perform"] = "perform"
    number: int
    until: float  # time.monotonic(), one clock for both processes: the supervisor ends the child then
    threads: int
    work: tuple[Work, ...]


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


class Done(Record):
    """One result per piece of work, in order."""

    kind: Literal["done"] = "done"
    results: tuple[Result, ...]
    files: tuple[str, ...] = ()  # the user's files that are imported by now, relative to their folder
    spent: bool = False  # the process can do no further work (a CUDA context that is lost): start another


class Failed(Record):
    """Our own failure."""

    kind: Literal["failed"] = "failed"
    message: str
    traceback: str


Answer = Annotated[Loaded | Refused | Done | Failed, Field(discriminator="kind")]

REQUEST: TypeAdapter[Load | Perform] = TypeAdapter(Request)
ANSWER: TypeAdapter[Loaded | Refused | Done | Failed] = TypeAdapter(Answer)


def answer_file(number: int) -> str:
    """Name the file that answers a request, in the child's output folder."""
    return f"{number}.json"


FAULTS_FILE = "faults.txt"
"""Where the child's faulthandler writes the stack of a crash, or of work that is about to be ended for its time."""
