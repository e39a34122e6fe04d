"""What was concluded: findings, their fixes, and the verdict. The shape of `diagnosis.json` (DESIGN 7)."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Literal

from diagnoser import programs
from diagnoser.evidence.evidence import Evidence
from diagnoser.records import Float, JsonValue, Record
from diagnoser.trials import Transform


class Severity(StrEnum):
    """`error`: training is broken or its result wrong; `warning`: it costs quality or time; `info`."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Confidence(StrEnum):
    """What the finding rests on: see CATALOGUE's third law."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class FixState(StrEnum):
    """What trying the fix showed."""

    VERIFIED = "verified"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    UNTESTED = "untested"


class Verdict(StrEnum):
    """One word for the whole."""

    HEALTHY = "healthy"
    IMPAIRED = "impaired"
    BROKEN = "broken"
    INCONCLUSIVE = "inconclusive"


Category = Literal[
    "data", "labels", "loss", "activation", "architecture", "initialisation", "learning-rate", "optimizer",
    "batch-size", "epochs", "regularisation", "normalisation", "numerical", "training-loop", "performance",
    "reproducibility",
]  # fmt: skip


def fix_key(patch: dict[str, JsonValue], transforms: tuple[Transform, ...]) -> str:
    """Name a fix by what it does, so that the treatment of one finding serves every finding that proposes it."""
    return json.dumps({"patch": patch, "transforms": sorted(transforms)}, sort_keys=True)


class Together(Record):
    """Of a fix that holds the cures of several findings: what the part of this one brings beyond the others' alone."""

    others: tuple[str, ...]  # ids of the other findings
    state: FixState  # verified: this finding is a cause of its own, whatever its cure showed by itself
    interval: tuple[Float, Float] | None = None  # of that, in the metric's direction


class MeasuredAgain(Record):
    """A step that was measured again under a fix, beside its first figure."""

    step: Literal["initial_loss", "overfit"]
    before: str
    after: str
    expected: str
    gone: tuple[str, ...] = ()  # ids of findings that this step no longer gives: the fix cures their cause
    left: tuple[str, ...] = ()  # ids of findings that it still gives: their cause is another one


class Fix(Record):
    """Something to change; `patch` and `transforms` can be tried by a machine, `advice` is for the reader."""

    title: str
    patch: dict[str, JsonValue] = {}
    transforms: tuple[Transform, ...] = ()
    advice: str | None = None
    diff: str | None = None
    state: FixState = FixState.UNTESTED
    before: str | None = None
    after: str | None = None
    interval: tuple[Float, Float] | None = None  # of the paired difference, in the metric's direction
    note: str | None = None  # why it is untested or inconclusive
    together: Together | None = None  # it cures several findings at once; None: this one alone
    again: tuple[MeasuredAgain, ...] = ()  # steps 1 and 2 under it

    @property
    def key(self) -> str:
        """The name under which this fix was tried."""
        return fix_key(self.patch, self.transforms)

    @property
    def can_be_tried(self) -> bool:
        """Whether a machine can apply it."""
        return bool(self.patch or self.transforms)


class Location(Record):
    """What a finding is about."""

    file: str | None = None
    line: int | None = None
    key: str | None = None  # dotted spec key
    subject: str | None = None  # layer path, column, parameter or split


class Finding(Record):
    """One thing that is wrong, or worth knowing."""

    id: str
    rule: str
    category: Category
    severity: Severity
    confidence: Confidence
    title: str
    why: str
    message: str
    observed: str
    expected: str
    evidence: tuple[str, ...]  # JSON Pointers into the diagnosis
    explained_by: tuple[str, ...] = ()  # ids
    location: Location = Location()
    fixes: tuple[Fix, ...] = ()
    fingerprint: str
    docs: str  # "rules/softmax-before-cross-entropy"


class PassedRule(Record):
    """A rule that looked and found nothing wrong."""

    rule: str
    title: str
    observed: str
    expected: str


class IgnoredRule(Record):
    """A finding that the user accepts."""

    rule: str
    reason: str
    fingerprint: str | None = None  # None: the ignore matched nothing


class UnjudgedRule(Record):
    """The evidence is missing, or our rule failed."""

    rule: str
    title: str
    reason: str
    because: str


class NotApplicableRule(Record):
    """The question does not arise."""

    rule: str
    title: str
    because: str


class Diagnosis(Evidence):
    """Everything that was measured, and what follows from it."""

    verdict: Verdict
    scope: str
    primary: str | None
    findings: tuple[Finding, ...]
    passed: tuple[PassedRule, ...]
    unjudged: tuple[UnjudgedRule, ...]
    not_applicable: tuple[NotApplicableRule, ...]
    ignored: tuple[IgnoredRule, ...]

    def to_html(self, path: str | Path | None = None) -> str:
        """The report as one HTML page; also written to `path` when there is one."""
        page = programs.run("reports", "--format", "html", "-", text=self.model_dump_json())
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def to_markdown(self) -> str:
        """The report as Markdown."""
        return programs.run("reports", "--format", "markdown", "-", text=self.model_dump_json())

    def _repr_html_(self) -> str:
        """What a notebook shows: the report without scripts, small enough for a cell."""
        return programs.run("reports", "--format", "notebook", "-", text=self.model_dump_json())
