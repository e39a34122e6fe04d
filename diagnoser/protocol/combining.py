"""Which two cures are tried together? Of two faults at once each hides the other: alone, no cure need show anything."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from diagnoser.findings import Finding, Fix, Severity
from diagnoser.trials import Transform

Alone = Literal["untried", "cannot", "nothing", "promises"]
"""What a fix did by itself: not tried yet; it cannot be; it did no better in most pairs; it did."""

CHANGES: Mapping[Transform, tuple[str, ...]] = {
    Transform.RELU_ACTIVATIONS: ("activations", "initial weights"),
    Transform.LEAKY_RELU: ("activations",),
    Transform.INSERT_RELU: ("activations",),
    Transform.REINITIALISE: ("initial weights",),
    Transform.ZERO_LAST_LAYER: ("initial weights",),
    Transform.REMOVE_FINAL_ACTIVATION: ("loss.name",),  # another loss would ask for another last layer
    Transform.GELU_ACTIVATIONS: ("activations", "initial weights"),
    Transform.TANH_ACTIVATIONS: ("activations", "initial weights"),
    Transform.HALVE_DROPOUT: ("dropout",),
    Transform.NO_DROPOUT: ("dropout",),
    Transform.INVERT_DROPOUT: ("dropout",),
    Transform.INSERT_DROPOUT: ("dropout",),
    Transform.MOVE_DROPOUT: ("dropout",),
    Transform.GROUP_NORM: ("normalisation",),
    Transform.MOVE_NORM: ("normalisation",),
    Transform.INSERT_NORM: ("normalisation",),
    Transform.TRACK_NORM_STATISTICS: ("normalisation",),
    Transform.FROZEN_NORM_IN_EVAL: ("normalisation",),
    Transform.DEFAULT_NORM_EPS: ("normalisation",),
    Transform.NEGATE_LOSS: ("loss.sign",),  # of the given loss: another one may have the right sign
    Transform.WEIGHT_CLASSES: ("loss.args.weight",),
}
"""What a transform changes, where others change it too; any other one changes something of its own."""
LENGTH = ("epochs", "steps")
NAMES = ("name", "factory")


class Pair(NamedTuple):
    """Two causes, the better-ranked one first, and their cures as one."""

    findings: tuple[Finding, Finding]
    parts: tuple[Fix, Fix]
    fix: Fix


def pair(
    ranked: Sequence[tuple[Finding, Fix]], alone: Callable[[Fix], Alone], *, beats: Callable[[Fix, Fix], bool]
) -> Pair | None:
    """The first-ranked fixes of the two best causes, once each was tried alone; None where there are no two.

    The first cause is the best error or warning that nothing explains. The second is the next of these. Where there is
    none: what is said of the learning rate, be it a hint or an effect, since how far any other cure gets hangs on it;
    or a finding that the first one was said to explain, where the first cure alone did nothing (an effect would have
    gone with its cause); or the hint whose cure did best by itself, if it promised anything. That the second cure adds
    nothing to the first is worth knowing as well: then what it helps against is an effect.
    """
    causes = _first_fixes(ranked, alone)
    roots = [(finding, fix) for finding, fix in causes if not finding.explained_by and _is_grave(finding)]
    if not roots:
        return None
    lead, cure = roots[0]
    hints = [(finding, fix) for finding, fix in causes if not _is_grave(finding) and alone(fix) == "promises"]
    partners = [
        *roots[1:],
        *((finding, fix) for finding, fix in causes if finding.category == "learning-rate"),
        *((finding, fix) for finding, fix in causes if lead.id in finding.explained_by and alone(cure) == "nothing"),
        *_best(hints, beats),
    ]
    for other, fix in partners:
        both = united(cure, fix)
        if both is not None and other.rule != lead.rule:
            is_known = "untried" not in (alone(cure), alone(fix))
            return Pair((lead, other), (cure, fix), both) if is_known else None
    return None


def united(first: Fix, second: Fix) -> Fix | None:
    """Both in one; None where they contradict each other, or cannot stand beside another change."""
    if Transform.OUR_LOOP in {*first.transforms, *second.transforms}:
        return None  # every other treated run is in our loop already
    if any(_is_same(one, other) for one in _changed(first) for other in _changed(second)):
        return None
    return Fix(
        title=f"Both: “{first.title}” and “{second.title}”",
        patch={**first.patch, **second.patch},
        transforms=tuple(sorted({*first.transforms, *second.transforms})),
    )


def _first_fixes(
    ranked: Sequence[tuple[Finding, Fix]], alone: Callable[[Fix], Alone]
) -> tuple[tuple[Finding, Fix], ...]:
    """Each finding with the first of its fixes that can be applied."""
    found: dict[str, tuple[Finding, Fix]] = {}
    for finding, fix in ranked:
        if alone(fix) != "cannot":
            found.setdefault(finding.id, (finding, fix))
    return tuple(found.values())


def _best(hints: Sequence[tuple[Finding, Fix]], beats: Callable[[Fix, Fix], bool]) -> tuple[tuple[Finding, Fix], ...]:
    """The one whose cure did best, in front of all."""
    best = hints[:1]
    for hint in hints[1:]:
        best = [hint] if beats(hint[1], best[0][1]) else best
    return (*best, *hints)


def _is_grave(finding: Finding) -> bool:
    return finding.severity is not Severity.INFO


def _changed(fix: Fix) -> tuple[str, ...]:
    """What a fix changes, as dotted keys or words; another optimizer, loss, ... is a change of that whole section."""
    keys = []
    for key in fix.patch:
        section, _, rest = key.partition(".")
        keys.append("length" if key in LENGTH else section if rest in NAMES else key)
    return (*keys, *(word for transform in fix.transforms for word in CHANGES.get(transform, (str(transform),))))


def _is_same(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
