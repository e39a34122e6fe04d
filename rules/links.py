"""Which finding is caused by which? What a cause's check has seen becomes ids here, without a cycle."""

import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

log = logging.getLogger(__name__)
SYMPTOMS = (
    "loss-diverges",
    "loss-plateaus",
    "no-learning-rate-works",
    "non-finite-loss",
    "nothing-learned",
    "small-set-not-memorised",
    "underfitting",
)
"""Findings that say that training fails, not why (CATALOGUE, †); the initial loss is judged before any training."""
ALL_SYMPTOMS = (*SYMPTOMS, "initial-loss-off-chance")
COMPARATIVE = (
    "activation-unfit",
    "batch-size-too-large",
    "batch-size-too-small",
    "gradient-clip-always-active",
    "learning-rate-too-high",
    "learning-rate-too-low",
    "loss-oscillates",
    "loss-spikes",
    "no-learning-rate-decay",
    "optimizer-unfit",
    "too-few-epochs",
    "warm-up-missing",
)
"""Findings that say that another setting does better with this model and data as they are. Where a cure of the model,
the data or a setting that is out of range brings as much at the user's own setting, that setting was not the fault."""


class Node(NamedTuple):
    """One finding that may cause others."""

    id: str
    rule: str
    explains: tuple[str, ...]  # ids of rules
    refuted: bool  # curing it did not help: it explains nothing
    withdrawn: frozenset[str] = frozenset()  # ids of findings that were still there under its cure


def explained_by(nodes: Iterable[Node]) -> dict[str, tuple[str, ...]]:
    """The causes of each finding that are present, in the order of the nodes.

    A link that would close a circle is left out: the cause that comes first in the order of the nodes keeps its own.
    """
    ordered = tuple(nodes)
    causes: dict[str, tuple[str, ...]] = {node.id: () for node in ordered}
    for cause in ordered:
        if cause.refuted:
            continue
        for effect in ordered:
            if effect.rule not in cause.explains or effect.rule == cause.rule or effect.id in cause.withdrawn:
                continue
            if effect.id in ancestors(cause.id, causes):
                log.warning("%s and %s explain each other; the first one named is kept", effect.id, cause.id)
                continue
            causes[effect.id] += (cause.id,)
    return causes


def ancestors(id: str, causes: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """All direct and indirect causes."""
    found: set[str] = set()
    waiting = list(causes.get(id, ()))
    while waiting:
        cause = waiting.pop()
        if cause not in found:
            found.add(cause)
            waiting.extend(causes.get(cause, ()))
    return frozenset(found)
