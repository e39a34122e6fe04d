"""What does a person read on the terminal when the work is done?"""

import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path

from diagnoser.cli.progress import LABELS
from diagnoser.evidence.outcome import Measured, NotMeasured, Reason
from diagnoser.evidence.steps import CurveReading
from diagnoser.findings import Diagnosis, Finding, FixState, Severity
from diagnoser.protocol.estimate import Estimate, StepEstimate

MOST_FINDINGS = 5
FEW_SECONDS = 10.0
ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def summary(diagnosis: Diagnosis, *, report: Path) -> str:
    """Verdict, the findings that matter most, and where the report is."""
    grave = [f for f in diagnosis.findings if f.severity is not Severity.INFO]
    hints = len(diagnosis.findings) - len(grave)
    ranked = sorted(grave, key=lambda f: (f.id != diagnosis.primary, bool(f.explained_by), ORDER.index(f.severity)))
    counts = [_count(sum(f.severity is s for f in grave), s) for s in (Severity.ERROR, Severity.WARNING)]
    counts += [_count(hints, "hint"), f"{len(diagnosis.passed)} passed"]
    counts += [f"{len(diagnosis.unjudged)} could not be judged"]
    lines = [f"{diagnosis.verdict.upper()}  {', '.join(counts)}", _wrap(diagnosis.scope, indent="  ")]
    lines += _user_error(diagnosis)
    for finding in ranked[:MOST_FINDINGS]:
        lines += ["", *_finding(finding, first=finding.id == diagnosis.primary)]
    if len(ranked) > MOST_FINDINGS:
        lines += ["", f"... and {len(ranked) - MOST_FINDINGS} more in the report"]
    return "\n".join([*lines, "", f"report: {report}"])


def curves(diagnosis: Diagnosis, *, names: Sequence[str], folder: Path | None) -> str:
    """What the curves of a log look like, and the findings about them."""
    outcome = diagnosis.steps.curves
    assert isinstance(outcome, Measured), "a log gives curves and nothing else"
    lines = []
    for name, run in zip(names, outcome.value.runs, strict=True):
        lines += _shape(name, run.reading, outcome.value.metric)
    for finding in diagnosis.findings:
        lines += ["", *_finding(finding, first=finding.id == diagnosis.primary)]
    if not diagnosis.findings:
        more = f"{len(diagnosis.unjudged)} rules need more than a log, and `diagnoser run` measures it"
        if len(outcome.value.runs) == 1:
            more += "; some need two seeds, so name the logs of several"
        lines += ["", _wrap(f"no finding; {more}", indent="")]
    return "\n".join([*lines, *(["", f"report: {folder / 'report.html'}"] if folder else [])])


def _shape(name: str, reading: CurveReading | None, metric: str) -> list[str]:
    """The classes of one run's curves, and the numbers that they rest on."""
    if reading is None:
        return [f"{name}: too short to be read"]
    lines = [f"{name}: {', '.join(each.replace('_', ' ') for each in reading.classes)}"]
    if reading.diverged_at is not None:
        lines.append(f"  the training loss is lost from update {reading.diverged_at} on")
    if reading.best_epoch is not None:
        since = f", {reading.drop_since_best:.3g} better than at the end" if reading.drop_since_best else ""
        lines.append(f"  validation is best at epoch {reading.best_epoch:g}{since}")
    if reading.onset_of_overfitting is not None:
        lines.append(f"  the validation loss only rose after epoch {reading.onset_of_overfitting:g}")
    if reading.final_gap is not None:
        lines.append(f"  at the end the training {metric} is {reading.final_gap:+.3g} from validation")
    if reading.spikes:
        lines.append(f"  {_count(reading.spikes, 'spike')} of the batch loss")
    return lines


def plan_table(estimate: Estimate) -> str:
    """One line a step: trials, updates each, and seconds; then the range of the whole, and what it rests on."""
    rows = [
        ("step", "pieces of work", "updates each", "expected time"),
        ("start", "", "", _span(estimate.starting, estimate.starting)),
        *(_plan_row(step) for step in estimate.steps),
        ("judgment and report", "", "", _span(estimate.ending, estimate.ending)),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    total = f"in all {_seconds(estimate.at_least)} to {_seconds(estimate.at_most)}, budget {_seconds(estimate.budget)}"
    basis = f"one update takes {estimate.seconds_per_update * 1e3:.3g} ms here; {_fixes(estimate.proposed)}"
    kept = "results kept from an earlier run are not counted: with them it takes less"
    return "\n".join([*table, "", total, _wrap(basis, indent=""), _wrap(kept, indent="")])


def _plan_row(step: StepEstimate) -> tuple[str, str, str, str]:
    if step.left_out and not step.pieces[1]:
        return (LABELS[step.step], "-", "-", f"left out: {step.left_out}")
    low, high = step.pieces
    updates = _numbers(*step.updates) if step.updates[1] else "-"
    return (LABELS[step.step], _numbers(low, high), updates, _span(*step.seconds))


def _numbers(low: int, high: int) -> str:
    return str(high) if low == high else f"{low} to {high}"


def _span(low: float, high: float) -> str:
    """Seconds to one digit where they are few: most steps of a small model take less than one."""
    ends = [f"{value:.1f} s" if value < FEW_SECONDS else _seconds(value) for value in (low, high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _fixes(proposed: Sequence[str]) -> str:
    """What the treatment is expected to try."""
    if not proposed:
        return "no fix is proposed by now; the longer time allows for one"
    fixes = "1 fix is" if len(proposed) == 1 else f"{len(proposed)} fixes are"
    return f"{fixes} proposed by now ({'; '.join(proposed)}); the longer time allows for one more"


def _user_error(diagnosis: Diagnosis) -> list[str]:
    """The first step, or else probe, that the user's own code ended, with their traceback."""
    steps = {**dict(diagnosis.steps), **dict(diagnosis.steps.preflight)}
    for name, outcome in steps.items():
        if isinstance(outcome, NotMeasured) and outcome.reason is Reason.USER_ERROR:
            words = _wrap(f"{name.replace('_', ' ')}: {outcome.because}", indent="")
            trace = textwrap.indent(outcome.traceback.rstrip(), "  ") if outcome.traceback else None
            return ["", words, *([trace] if trace else [])]
    return []


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _finding(finding: Finding, *, first: bool) -> list[str]:
    mark = "fix this first: " if first else ""
    explained = f" (explained by {', '.join(finding.explained_by)})" if finding.explained_by else ""
    lines = [
        f"{finding.severity}: {mark}{finding.title}  [{finding.rule}, {finding.confidence} confidence]{explained}",
        _wrap(finding.message, indent="  "),
    ]
    for fix in finding.fixes[:2]:
        tried = "" if fix.state is FixState.UNTESTED else f" [{fix.state}]"
        change = f": {fix.before} -> {fix.after}" if fix.before and fix.after else ""
        lines.append(_wrap(f"fix{tried}: {fix.title}{change}", indent="  "))
    return lines


def _wrap(text: str, *, indent: str) -> str:
    width = min(110, shutil.get_terminal_size((100, 24)).columns)
    return textwrap.fill(text, width=width, initial_indent=indent, subsequent_indent=indent)


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.1f} min"
