"""What is shown? A diagnosis as words and charts in the order of their weight; nothing is decided in a template."""

from typing import NamedTuple

from markupsafe import Markup

from diagnoser.evidence.evidence import ExecutionPlan
from diagnoser.evidence.outcome import Measured, NotMeasured
from diagnoser.evidence.steps import Preflight, Steps
from diagnoser.findings import Diagnosis, Finding, Fix, FixState, Severity, Verdict
from reports import charts, figures, yardsticks
from reports.numbers import number, percent, plural, seconds

STEP_TITLES = {
    "preflight": "0 Preflight",
    "initial_loss": "1 Initial loss",
    "overfit": "2 Overfit a small set",
    "lr_scan": "3 Learning-rate scan",
    "coarse_search": "4 Coarse search",
    "fine_search": "5 Fine search",
    "curves": "6 Curves",
    "treatments": "7 Treatment",
}
SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)
CONFIDENCES = ("high", "medium", "low")
ICONS = {Verdict.BROKEN: "✕", Verdict.IMPAIRED: "!", Verdict.HEALTHY: "✓", Verdict.INCONCLUSIVE: "?"}
FIRST = 3  # surface.md 2: at most three, no wall of red
MOST_FINDINGS = 50  # surface.md 3: the rest is in the JSON
STATES = {
    FixState.VERIFIED: "tried and verified",
    FixState.REFUTED: "tried and refuted",
    FixState.INCONCLUSIVE: "tried, inconclusive",
    FixState.UNTESTED: "not tried",
}

AGAIN = {"initial_loss": "Initial loss", "overfit": "Small set"}


class Step(NamedTuple):
    """One step: whether it ran, what it cost, its charts."""

    name: str
    title: str
    measured: bool
    words: str
    traceback: str | None
    charts: tuple[Markup, ...]


class Card(NamedTuple):
    """One finding with its consequences under it."""

    finding: Finding
    label: str
    consequences: tuple[Finding, ...]
    is_primary: bool


class View(NamedTuple):
    """Everything that the page says."""

    diagnosis: Diagnosis
    verdict: str
    icon: str
    headline: str
    reason: str
    first: tuple[Card, ...]
    others: tuple[Card, ...]
    hidden: int
    steps: tuple[Step, ...]
    yardsticks: yardsticks.Yardsticks | None
    probes: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    unjudged: tuple[tuple[str, tuple[str, ...]], ...]


def build(diagnosis: Diagnosis) -> View:
    """Order the findings, word the steps and draw the charts."""
    cards = _cards(diagnosis)
    grave = [card for card in cards if card.finding.severity is not Severity.INFO]
    first = tuple(grave[:FIRST])
    others = tuple(card for card in cards if card not in first)
    return View(
        diagnosis=diagnosis,
        verdict=diagnosis.verdict.value,
        icon=ICONS[diagnosis.verdict],
        headline=headline(diagnosis),
        reason=_reason(diagnosis),
        first=first,
        others=others[: MOST_FINDINGS - FIRST],
        hidden=max(0, len(others) - (MOST_FINDINGS - FIRST)),
        steps=tuple(_step(name, diagnosis.steps) for name in STEP_TITLES),
        yardsticks=yardsticks.table(diagnosis.steps),
        probes=_probes(diagnosis.steps.preflight),
        facts=_facts(diagnosis),
        unjudged=_unjudged(diagnosis),
    )


def share(fix: Fix) -> str:
    """Of a fix that cures several findings at once: what the part of this one brings, in a sentence; else empty."""
    together = fix.together
    if together is None or not together.others:
        return ""
    beside = f"the cure of {' and '.join(together.others)} alone"
    if together.state is FixState.VERIFIED and together.interval is not None:
        low, high = (number(end) for end in together.interval)
        return f"Beyond {beside}, this one's brings {low} to {high}."
    if together.state is FixState.VERIFIED:
        return f"With {beside} every run failed."
    if together.state is FixState.REFUTED:
        return f"Beyond {beside}, this one's brings nothing."
    return f"Whether this one's adds to {beside} cannot be told."


def again(fix: Fix) -> tuple[str, ...]:
    """Each step that was measured again under a fix, in a sentence: `Initial loss 7.9 → 2.31 (expected: ...)`."""
    return tuple(
        f"{AGAIN[one.step]} {one.before} → {one.after} (expected: {one.expected})."
        + (f" Gone with it: {', '.join(one.gone)}." if one.gone else "")
        + (f" Still there: {', '.join(one.left)}." if one.left else "")
        for one in fix.again
    )


def headline(diagnosis: Diagnosis) -> str:
    """Counts in one line: `broken - 2 errors, 1 warning - 14 passed, 3 could not be judged`."""
    counts = [
        plural(count, severity.value if severity is not Severity.INFO else "hint")
        for severity in SEVERITIES
        if (count := sum(f.severity is severity for f in diagnosis.findings))
    ]
    found = ", ".join(counts) or "nothing found"
    rest = f"{len(diagnosis.passed)} passed, {len(diagnosis.unjudged)} could not be judged"
    return f"{diagnosis.verdict.value} - {found} - {rest}"


def primary(diagnosis: Diagnosis) -> Finding | None:
    """The finding to fix first."""
    return next((finding for finding in diagnosis.findings if finding.id == diagnosis.primary), None)


def ranked(diagnosis: Diagnosis) -> tuple[Finding, ...]:
    """Findings by weight: the primary one, then by severity, unexplained before explained, by confidence."""
    return tuple(
        sorted(
            diagnosis.findings,
            key=lambda f: (
                f.id != diagnosis.primary,
                SEVERITIES.index(f.severity),
                bool(f.explained_by),
                CONFIDENCES.index(f.confidence.value),
                f.id,
            ),
        )
    )


def _cards(diagnosis: Diagnosis) -> list[Card]:
    """One card per finding that stands alone; explained ones lie under the first of their causes."""
    known = {finding.id for finding in diagnosis.findings}
    under: dict[str, list[Finding]] = {}
    alone = []
    for finding in ranked(diagnosis):
        causes = [cause for cause in finding.explained_by if cause in known]
        if causes:
            under.setdefault(causes[0], []).append(finding)
        else:
            alone.append(finding)

    def consequences(id_: str) -> tuple[Finding, ...]:
        return tuple(f for direct in under.get(id_, []) for f in (direct, *consequences(direct.id)))

    return [
        Card(
            finding=finding,
            label=f"{finding.severity.value}, {finding.confidence.value} confidence",
            consequences=consequences(finding.id),
            is_primary=finding.id == diagnosis.primary,
        )
        for finding in alone
    ]


def _reason(diagnosis: Diagnosis) -> str:
    cause = primary(diagnosis)
    return f"{cause.title}: {cause.message}" if cause is not None else diagnosis.scope


def _step(name: str, steps: Steps) -> Step:
    outcome = getattr(steps, name)
    title = STEP_TITLES[name]
    if isinstance(outcome, NotMeasured):
        words = f"not measured ({outcome.reason.value.replace('_', ' ')}): {outcome.because}"
        return Step(name, title, measured=False, words=words, traceback=outcome.traceback, charts=())
    if isinstance(outcome, Preflight):
        return Step(name, title, measured=True, words="what could be seen without training", traceback=None, charts=())
    assert isinstance(outcome, Measured)
    words = f"measured in {seconds(outcome.seconds)}"
    if outcome.fraction_of_run < 1:
        words += f", over {percent(outcome.fraction_of_run)} of the run"
    drawn = tuple(charts.draw(chart) for chart in figures.of_step(name, steps))
    return Step(name, title, measured=True, words=words, traceback=None, charts=drawn)


def _probes(preflight: Preflight) -> tuple[tuple[str, str], ...]:
    rows = []
    for name in Preflight.model_fields:
        outcome = getattr(preflight, name)
        told = f"measured in {seconds(outcome.seconds)}" if isinstance(outcome, Measured) else outcome.because
        rows.append((name, told))
    return tuple(rows)


def _facts(diagnosis: Diagnosis) -> tuple[tuple[str, str], ...]:
    run, where = diagnosis.run, diagnosis.environment
    commit = where.source.git_commit
    dirty = " with uncommitted changes" if where.source.git_dirty else ""
    return (
        ("command", run.command),
        ("made", run.created),
        ("seed, preset", f"{run.seed}, {run.preset}"),
        ("budget", f"{number(run.budget_minutes)} min asked, {seconds(run.used_seconds)} used"),
        ("execution", f"{run.plan.executor}, {run.plan.processes} x {plural(run.plan.threads_per_process, 'thread')}"),
        ("work", f"{run.plan.trials_run} pieces run, {run.plan.trials_from_cache} kept from before"),
        *((("trained together", together),) if (together := _together(run.plan)) else ()),
        *((("memory", memory),) if (memory := _memory(diagnosis.steps.preflight)) else ()),
        ("sandbox", run.sandbox),
        ("source", f"{where.source.hash[:16]}, commit {commit[:12]}{dirty}" if commit else where.source.hash[:16]),
        ("data", where.data_fingerprint[:16]),
        ("machine", f"{where.device}, {plural(where.cpu_count, 'core')}, {where.platform}"),
        ("versions", f"Python {where.python}, torch {where.torch}, diagnoser {diagnosis.engine_version}"),
        ("format", f"schema {diagnosis.schema_version}"),
    )


def _together(plan: ExecutionPlan) -> str:
    """Say how many trials were stacked, and why the others were not."""
    stacked = [group for group in plan.stacks if group.at_once > 1]
    alone = [f"{group.trials} ({group.because})" for group in plan.stacks if group.at_once == 1]
    parts = []
    if stacked:
        sizes = sorted({group.at_once for group in stacked})
        several = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        parts.append(f"{sum(group.trials for group in stacked)} trials, {several} at a time as one batched model")
    if alone:
        parts.append(f"one by one: {', '.join(alone)}")
    return "; ".join(parts)


def _memory(preflight: Preflight) -> str:
    """Say what a step took and how large a batch would fit."""
    system = preflight.system
    if isinstance(system, NotMeasured):
        return ""
    parts = []
    if system.value.memory_mb is not None:
        parts.append(f"{system.value.memory_mb:,.0f} MB at the peak")
    if system.value.rows_that_fit is not None:
        parts.append(f"batches of up to about {system.value.rows_that_fit:,} rows would fit")
    return "; ".join(parts)


def _unjudged(diagnosis: Diagnosis) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Rules that could not be judged, grouped by why: our own failures are told apart from missing evidence."""
    groups: dict[str, list[str]] = {}
    for rule in diagnosis.unjudged:
        ours = "our rule failed: " if rule.reason == "engine_error" else ""
        groups.setdefault(ours + rule.because, []).append(rule.rule)
    return tuple((because, tuple(rules)) for because, rules in sorted(groups.items(), key=lambda g: -len(g[1])))
