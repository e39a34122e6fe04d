"""What does the report say about a fix: how the spec would change, and what trying it showed?"""

import logging

from diagnoser.errors import SpecError
from diagnoser.evidence.evidence import Evidence
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Fix, FixState
from rules import confirmation

log = logging.getLogger(__name__)
LEFT_OUT = "the budget left it out"


def settled(fix: Fix, evidence: Evidence, treatments: Treatments | None) -> Fix:
    """The fix with its diff and its state, whoever proposed it."""
    changed = fix.model_copy(update={"diff": fix.diff or _diff(fix, evidence)})
    treatment = confirmation.find(treatments, fix) if fix.can_be_tried else None
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
    """Whether what was tried was tried in vain: one refuted, none verified or left open by its trial."""
    states = {fix.state for fix in fixes}
    return FixState.REFUTED in states and not states & {FixState.VERIFIED, FixState.INCONCLUSIVE}


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
