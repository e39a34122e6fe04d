"""What is a rule? A meta record and a check whose parameter types say what it needs."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator

from diagnoser.evidence.preflight import (
    Assumptions,
    Baselines,
    DataProfile,
    GradientCheck,
    LoopAudit,
    LossProfile,
    ModelProfile,
    OptimizerProfile,
    Repeatability,
    SystemProfile,
)
from diagnoser.evidence.steps import (
    CoarseSearch,
    Curves,
    FineSearch,
    InitialLoss,
    LrScan,
    Overfit,
    Treatments,
)
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import Record
from diagnoser.spec.fields import TrainingSpec

RECORDS: dict[type[Record], str] = {
    TrainingSpec: "/spec",
    Assumptions: "/steps/preflight/assumptions",
    DataProfile: "/steps/preflight/data",
    Baselines: "/steps/preflight/baselines",
    ModelProfile: "/steps/preflight/model",
    LossProfile: "/steps/preflight/loss",
    GradientCheck: "/steps/preflight/gradient",
    OptimizerProfile: "/steps/preflight/optimizer",
    LoopAudit: "/steps/preflight/loop",
    SystemProfile: "/steps/preflight/system",
    Repeatability: "/steps/preflight/repeatability",
    InitialLoss: "/steps/initial_loss",
    Overfit: "/steps/overfit",
    LrScan: "/steps/lr_scan",
    CoarseSearch: "/steps/coarse_search",
    FineSearch: "/steps/fine_search",
    Curves: "/steps/curves",
    Treatments: "/steps/treatments",
}
"""What a check may ask for, and where it lies in the evidence."""


class RuleDefinitionError(Exception):
    """A rule's file is wrong: our bug, raised at import."""


class NotApplicable(Exception):  # noqa: N818 - an answer, not an error
    """The question does not arise for this model or task; say why, in the user's words."""


class Unjudged(Exception):  # noqa: N818 - an answer, not an error
    """The record is there, but what it holds cannot settle the question (too few rows, a control that failed)."""


class Rule(Record):
    """What a rule is about; its id is its file's name, its category its folder's."""

    title: str
    why: str
    since: str
    references: tuple[str, ...] = ()
    replaced_by: str | None = None


class Passed(Record):
    """The rule looked, and all is well; the report prints both."""

    observed: str
    expected: str


class Finding(Record):
    """The rule looked, and something is wrong."""

    message: str  # a sentence with the user's numbers
    severity: Severity
    confidence: Confidence
    observed: str
    expected: str
    evidence: tuple[str, ...]  # JSON Pointers, beginning with "/steps/" or "/spec/"
    title: str | None = None  # with the user's numbers; else the rule's
    fixes: tuple[Fix, ...] = ()
    explains: tuple[str, ...] = ()  # ids of rules whose findings this one causes, under the condition just seen
    key: str | None = None  # dotted spec key it is about, for the location
    subject: str | None = None  # layer path, column, parameter or split
    by_definition: bool = False  # true by construction: a refuted treatment takes nothing from it


Answer = Finding | Passed
Check = Callable[..., Iterator[Answer]]


class Need(Record):
    """One parameter of a check."""

    name: str
    record: type[Record]
    optional: bool


def needs(check: Check) -> tuple[Need, ...]:
    """Read what a check asks for from the types of its parameters.

    Raises RuleDefinitionError for a parameter without a type, or with one that is no record of the evidence.
    """
    hints = typing.get_type_hints(check)
    hints.pop("return", None)
    for name in inspect.signature(check).parameters:
        if name not in hints:
            raise RuleDefinitionError(f"{check.__module__}: {name}: its type says what it needs, and there is none")
    found = []
    for name, hint in hints.items():
        members = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        records = [member for member in members if member is not type(None)]
        if len(records) != 1 or records[0] not in RECORDS:
            raise RuleDefinitionError(f"{check.__module__}: {name}: {hint} is no record of the evidence")
        found.append(Need(name=name, record=records[0], optional=type(None) in members))
    return tuple(found)
