"""Does the same seed give the same run, and does every call of the data factory give the same split?"""

import numpy as np

from diagnoser.evidence.preflight import Repeatability
from diagnoser.training.loop import run_trial
from diagnoser.training.probes.rows import Hashes, all_hashes
from diagnoser.training.reading import build_splits
from diagnoser.training.workload import Workload
from diagnoser.trials import Probe, Trial

UPDATES = 20
OTHER_SEED = 1_000_003  # added to the spec's seed for the second call of the data factory
DEFAULT_SECONDS = 30.0


def measure(workload: Workload, probe: Probe) -> Repeatability:
    """Train twice under one seed; call the data factory once more under another."""
    seconds = probe.max_seconds or DEFAULT_SECONDS
    trial = Trial(seed=probe.seed, updates=UPDATES, evaluations=0, max_seconds=seconds / 3)
    once, again = (run_trial(workload, trial).losses for _ in range(2))
    split, union = _other_call(workload, seconds=seconds / 3)
    return Repeatability(
        largest_relative_difference=largest_relative_difference(once, again),
        split_difference=split,
        union_difference=union,
        labels_depend_on_hash_seed=None,
    )


def largest_relative_difference(once: tuple[float, ...], again: tuple[float, ...]) -> float:
    """Compare two curves as far as both go; equal NaN counts as equal."""
    a, b = (np.asarray(curve[: min(len(once), len(again))]) for curve in (once, again))
    if not len(a):
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))
    difference[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    return float(np.nan_to_num(difference, nan=np.inf).max())


def _other_call(workload: Workload, *, seconds: float) -> tuple[float, float]:
    """Return the shares of validation rows, and of all rows, that another call under another seed does not have.

    NaN where the rows are too many to be read twice in the time given.
    """
    train, validation, _ = build_splits(
        workload.spec, folder=workload.folder, objects=workload.objects, seed=workload.spec.seed + OTHER_SEED
    )
    found = [
        all_hashes(workload, split, seconds=seconds / 4)
        for split in (workload.train, workload.validation, train, validation)
    ]
    if any(hashed is None for hashed in found):
        return float("nan"), float("nan")
    ours_train, ours, theirs_train, theirs = (hashed for hashed in found if hashed is not None)
    return _missing(ours, theirs), _missing(np.concatenate([ours_train, ours]), np.concatenate([theirs_train, theirs]))


def _missing(ours: Hashes, theirs: Hashes) -> float:
    return float(1.0 - np.isin(ours, theirs).mean()) if len(ours) else 0.0
