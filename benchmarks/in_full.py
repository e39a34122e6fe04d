"""How many updates did a diagnosis take, and how many would its plan take with nothing saved?

*Taken*: the `updates` of every result, added up.

*With nothing saved*: every trial that the diagnosis asked for, at the length at which it asked for it, and no result
makes another one cheaper:

* no trial ends early because it has memorised its rows, stands still, diverges or has stopped to improve;
* step 4 trains each of its configurations for the length of its last rung, and has no rung before it (no halving);
* step 7 gives every fix that it looked at both looks, `2 * PAIRS` seeds (no stop once it knows), and trains its
  untreated arm itself, once for all fixes, though the curves of step 6 have the first seeds of it.

Not added, though a protocol without results would have them: the small set's ladder of learning rates where the first
run went well, and fixes that nothing suggests. Updates inside probes (reference networks, repeatability) are on
neither side. A transform or another optimizer is priced as the model that was given.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.recorded import Ran, Recorded, Stage
from diagnoser.evidence.outcome import NotMeasured, Reason
from diagnoser.protocol import so_far as known
from diagnoser.protocol.curves import fraction_of_run
from diagnoser.protocol.treatment import PAIRS
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.patching import apply_changes
from diagnoser.trials import Outcome, Trial


@dataclass(frozen=True, order=True)
class Kind:
    """What makes one update dearer than another: the small set has a small last batch, and begins an epoch often."""

    rows: int
    batch: int


Updates = Counter[Kind]


def taken(stages: Iterable[Stage], spec: TrainingSpec) -> Updates:
    """Count the updates that were really taken."""
    found: Updates = Counter()
    for stage in stages:
        for one in stage.ran:
            found[_kind(one, spec)] += one.result.updates
    return +found


def in_full(stages: Iterable[Stage], spec: TrainingSpec) -> dict[str, Updates]:
    """Count the updates that the same plan would take with nothing saved, by stage."""
    found: dict[str, Updates] = {}
    untreated: tuple[Ran, ...] = ()
    for stage in stages:
        if stage.name == "curves":
            untreated = stage.ran[:1]  # the first is of our loop, at the spec's own values
        match stage.name:
            case "coarse_search":
                updates = _without_halving(stage.ran, spec)
            case "treatments":
                updates = _all_pairs(stage.ran, untreated, spec)
            case _:
                updates = _planned(stage.ran, spec)
        found[stage.name] = +updates
    return found


def together(by_stage: Mapping[str, Updates]) -> Updates:
    """Add up the stages."""
    return sum(by_stage.values(), start=Counter())


def seconds(updates: Updates, cost: Mapping[Kind, float]) -> float:
    """Price updates, with the bare seconds of one update of each kind."""
    return sum(count * cost[kind] for kind, count in updates.items())


def length(one: Ran, spec: TrainingSpec) -> int:
    """Count the updates that a trial was to take."""
    if one.trial.updates is not None:
        return one.trial.updates
    changed = apply_changes(spec, one.trial.changes)
    if changed.steps is not None:
        return changed.steps
    return known.epochs(changed) * math.ceil(one.result.batches_per_epoch / changed.accumulate_batches)


def cut(recorded: Recorded) -> tuple[str, ...]:
    """Say what the budget left out: with anything here the diagnosis was not whole, and its ratio means little."""
    steps = recorded.evidence.steps
    found = [
        f"{name}: {outcome.because}"
        for name, outcome in steps
        if isinstance(outcome, NotMeasured) and outcome.reason is Reason.BUDGET
    ]
    for stage in recorded.stages:
        late = [r for r in stage.ran if r.result.stopped_by == "time" or r.result.outcome is Outcome.TIMED_OUT]
        if late:
            found.append(f"{stage.name}: {len(late)} trials ran out of time")
        if stage.name == "curves" and stage.ran:
            share = fraction_of_run(steps, tuple((r.trial, r.result) for r in stage.ran))
            ended = any(r.result.stopped_by in {"early_stopping", "diverged"} for r in stage.ran)
            if share < 1 and not ended:
                found.append(f"curves: {share:.0%} of the run")
    return tuple(found)


def _planned(ran: Iterable[Ran], spec: TrainingSpec) -> Updates:
    found: Updates = Counter()
    for one in ran:
        found[_kind(one, spec)] += length(one, spec)
    return found


def _without_halving(ran: tuple[Ran, ...], spec: TrainingSpec) -> Updates:
    longest = max((length(one, spec) for one in ran), default=0)
    configurations = {_arm(one.trial.model_copy(update={"updates": None, "evaluations": 1})): one for one in ran}
    found: Updates = Counter()
    for one in configurations.values():
        found[_kind(one, spec)] += longest
    return found


def _all_pairs(ran: tuple[Ran, ...], untreated: tuple[Ran, ...], spec: TrainingSpec) -> Updates:
    if not ran:
        return Counter()
    found: Updates = Counter()
    for one in {_arm(one.trial): one for one in (*untreated, *ran)}.values():
        found[_kind(one, spec)] += 2 * PAIRS * length(one, spec)
    return found


def _arm(trial: Trial) -> str:
    """Name what the seeds of one arm share."""
    return trial.model_copy(update={"seed": 0, "max_seconds": None}).model_dump_json()


def _kind(one: Ran, spec: TrainingSpec) -> Kind:
    return Kind(rows=one.result.rows_used, batch=apply_changes(spec, one.trial.changes).data.batch_size)
