"""What does the report say about a fix: how the spec or the source would change, and what trying it showed?"""

import logging
from collections.abc import Mapping, Sequence

from diagnoser.errors import SpecError
from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.steps import Treatment, Treatments
from diagnoser.findings import Fix, FixState, Together
from rules import confirmation, source_diffs

log = logging.getLogger(__name__)
LEFT_OUT = "the budget left it out"


def settled(
    fix: Fix, evidence: Evidence, treatments: Treatments | None, *, rule: str, subject: str | None = None
) -> Fix:
    """The fix of a finding of this rule, with its diff and its state."""
    diffs = (_diff(fix, evidence), source_diffs.find(fix, evidence, rule=rule, subject=subject))
    changed = fix.model_copy(update={"diff": fix.diff or "\n".join(diff for diff in diffs if diff) or None})
    treatment = confirmation.alone(treatments, fix.key) if fix.can_be_tried else None
    if treatment is None:
        skipped = treatments is not None and fix.can_be_tried and fix.key in treatments.skipped
        return changed.model_copy(update={"note": LEFT_OUT}) if skipped and fix.note is None else changed
    shown = confirmation.compare(treatment)
    return changed.model_copy(
        update={
            "state": shown.state,
            "before": shown.before or None,
            "after": shown.after or None,
            "interval": shown.interval,
            "note": shown.note,
        }
    )


def all_refuted(fixes: tuple[Fix, ...]) -> bool:
    """Whether what was tried was tried in vain: one refuted, none verified or left open by its trial.

    A cure that helps beside another finding's cure was not tried in vain. That the two help together, or do not, says
    nothing of this one.
    """
    states = {fix.state for fix in fixes if fix.together is None}
    states |= {FixState.VERIFIED for fix in fixes if fix.together and fix.together.state is FixState.VERIFIED}
    return FixState.REFUTED in states and not states & {FixState.VERIFIED, FixState.INCONCLUSIVE}


def united(
    proposed: Mapping[str, Sequence[Fix]], evidence: Evidence, treatments: Treatments | None
) -> dict[str, tuple[Fix, ...]]:
    """The cures of several findings at once, for each finding that they speak of; `proposed` are fixes by finding's id.

    Where both together help, they are shown with each of the findings, else with the first one alone.
    """
    found: dict[str, tuple[Fix, ...]] = {}
    for both in confirmation.united(treatments):
        owners = {part: owner for part in both.parts if (owner := _owner(part, proposed, treatments)) is not None}
        bare = Fix(title=both.title, patch=both.patch, transforms=both.transforms)
        shown = settled(bare, evidence, treatments, rule=both.rule)
        told = {owner: _together(both, part, owners, treatments) for part, owner in owners.items()}
        for owner in list(told)[: None if shown.state is FixState.VERIFIED else 1]:
            found[owner] = (*found.get(owner, ()), shown.model_copy(update={"together": told[owner]}))
    return found


def _together(both: Treatment, part: str, owners: Mapping[str, str], treatments: Treatments | None) -> Together:
    others = tuple(owner for key, owner in owners.items() if key != part and owner != owners[part])
    added = confirmation.addition(treatments, both, part)
    if added is None:
        return Together(others=others, state=FixState.UNTESTED)
    told = confirmation.compare(added)
    doubtful = told.state is FixState.VERIFIED and not confirmation.confirms(both, added)
    return Together(others=others, state=FixState.INCONCLUSIVE if doubtful else told.state, interval=told.interval)


def _owner(part: str, proposed: Mapping[str, Sequence[Fix]], treatments: Treatments | None) -> str | None:
    """The finding that proposes this part: the one for which it was tried, else the first."""
    tried = confirmation.alone(treatments, part)
    names = [name for name, fixes in proposed.items() if any(fix.key == part for fix in fixes)]
    own = [name for name in names if tried is not None and name.partition("#")[0] == tried.rule]
    return next(iter((*own, *names)), None)


def _diff(fix: Fix, evidence: Evidence) -> str | None:
    """The change to the user's own file, or a list of keys where there is none; None when the patch does not fit it."""
    if not fix.patch:
        return None
    from diagnoser.spec.patching import diff  # loads the YAML reader

    try:
        return diff(evidence.spec_source, fix.patch) or None
    except SpecError as error:
        log.error("the fix %r does not fit the spec: %s", fix.title, error)  # noqa: TRY400 - the message says it all
        return None
