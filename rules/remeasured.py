"""Is a finding gone when the step that it rests on is measured again under a fix? Its own rule is asked once more.

No threshold of its own: whoever spoke decides whether there is still something to say. So a link from a cause to its
effect is verified by an experiment, or withdrawn (CATALOGUE, "Who explains whom").
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.outcome import Measured, measured
from diagnoser.evidence.steps import InitialLoss, Overfit, Treatment, UnderFix
from diagnoser.findings import Finding, Fix, FixState, MeasuredAgain, Severity
from diagnoser.records import is_finite
from rules import rates
from rules.asking import ask
from rules.links import ALL_SYMPTOMS
from rules.registry import Registered

SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.INFO)
PREFLIGHT = "preflight"
StepName = Literal["initial_loss", "overfit"]
STEPS: tuple[StepName, ...] = ("initial_loss", "overfit")


class Seen(NamedTuple):
    """What one step under a fix of one finding shows of another finding."""

    finding: str  # id
    fix: str  # key
    step: StepName
    other: str  # id
    gone: bool


def seen(
    findings: Sequence[Finding],
    evidence: Evidence,
    catalogue: Sequence[Registered],
    *,
    explains: Mapping[str, Sequence[str]],
) -> tuple[Seen, ...]:
    """All that the steps measured again under verified fixes tell of symptoms and of what the causes claim to explain.

    `explains`: the rules whose findings a finding (its id) claims for its effects.
    """
    rules = {rule.id: rule for rule in catalogue}
    answers: list[Seen] = []
    for cause in findings:
        claimed = {*explains[cause.id], *ALL_SYMPTOMS} - {cause.rule}
        for fix, under in _verified(cause, evidence):
            changed = _with(evidence, under)
            for other in (other for other in findings if other.rule in claimed):
                step = _rests_on(other, under)
                gone = _is_gone(other, rules[other.rule], changed, under) if step is not None else None
                if step is not None and gone is not None:
                    answers.append(Seen(cause.id, fix.key, step, other.id, gone))
    return tuple(answers)


def states(answers: Sequence[Seen]) -> Mapping[tuple[str, str], FixState]:
    """Each cause with each effect: verified where one fix of the cause removes it, refuted where none does."""
    gone = {(one.finding, one.other) for one in answers if one.gone}
    pairs = {(one.finding, one.other) for one in answers}
    return {pair: FixState.VERIFIED if pair in gone else FixState.REFUTED for pair in pairs}


def shown(finding: Finding, answers: Sequence[Seen], evidence: Evidence) -> Finding:
    """The finding, its fixes with the figures of the steps that were measured again under them."""
    under = {fix.key: again for fix, again in _verified(finding, evidence)}
    own = [one for one in answers if one.finding == finding.id]
    fixes = tuple(
        fix.model_copy(update={"again": _figures(fix, under[fix.key], own, evidence)}) if fix.key in under else fix
        for fix in finding.fixes
    )
    return finding.model_copy(update={"fixes": fixes})


def _verified(finding: Finding, evidence: Evidence) -> tuple[tuple[Fix, UnderFix], ...]:
    outcome = evidence.steps.treatments
    tried: tuple[Treatment, ...] = outcome.value.treatments if isinstance(outcome, Measured) else ()
    again = {one.fix: one.again for one in tried if one.again is not None}
    return tuple(
        (fix, again[fix.key])
        for fix in finding.fixes
        if fix.key in again and fix.state is FixState.VERIFIED and fix.together is None
    )


def _with(evidence: Evidence, under: UnderFix) -> Evidence:
    """The evidence, with the steps that were measured again in place of the first ones."""
    new: dict[str, object] = {
        name: measured(value, seconds=0.0) for name in STEPS if (value := getattr(under, name)) is not None
    }
    return evidence.model_copy(update={"steps": evidence.steps.model_copy(update=new)})


def _rests_on(finding: Finding, under: UnderFix) -> StepName | None:
    """The step measured again that this finding points at."""
    pointed = {pointer.split("/")[2] for pointer in finding.evidence if pointer.startswith("/steps/")}
    return next((name for name in STEPS if name in pointed and getattr(under, name) is not None), None)


def _is_gone(finding: Finding, rule: Registered, changed: Evidence, under: UnderFix) -> bool | None:
    """None: its rule cannot tell, or it looks at other steps too, which are still those without the fix."""
    reply = ask(rule, changed)
    place = (finding.location.key, finding.location.subject)
    same = [said for said in reply.findings if (said.key, said.subject) == place]
    if any(SEVERITIES.index(said.severity) <= SEVERITIES.index(finding.severity) for said in same):
        known = {PREFLIGHT, *(name for name in STEPS if getattr(under, name) is not None)}
        others = {pointer.split("/")[2] for pointer in finding.evidence if pointer.startswith("/steps/")} - known
        return None if others else False
    return True if reply.findings or reply.passed else None


def _figures(fix: Fix, under: UnderFix, own: Sequence[Seen], evidence: Evidence) -> tuple[MeasuredAgain, ...]:
    found = []
    for name in STEPS:
        before, after = getattr(evidence.steps, name), getattr(under, name)
        if after is None or not isinstance(before, Measured):
            continue
        told = [one for one in own if one.fix == fix.key and one.step == name]
        left, right = _words(before.value), _words(after)
        found.append(
            MeasuredAgain(
                step=name,
                before=left.figure,
                after=right.figure,
                expected=right.expected,
                gone=tuple(one.other for one in told if one.gone),
                left=tuple(one.other for one in told if not one.gone),
            )
        )
    return tuple(found)


class _Words(NamedTuple):
    figure: str
    expected: str


def _words(record: InitialLoss | Overfit) -> _Words:
    if isinstance(record, InitialLoss):
        finite = [value for value in record.observed if is_finite(value)]
        chance = (
            f"{record.chance:.3f} ({record.chance_because})" if record.chance is not None else record.chance_because
        )
        return _Words(f"{median(finite):.3f}" if finite else "not finite", chance)
    own = [one for one in rates.plain_attempts(record) if rates.same(one.lr, record.user_lr)]
    ends = [one.final_loss for one in own if one.final_loss is not None and is_finite(one.final_loss)]
    loss = f", loss {median(ends):.3g}" if ends else ""
    memorised = sum(one.memorised for one in own)
    figure = f"memorised by {memorised} of {len(own)} runs at lr {record.user_lr:g}{loss}"
    return _Words(figure, f"loss near {record.floor:.3g} ({record.floor_because})")
