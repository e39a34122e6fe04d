"""What are the targets, and do batches come with them in a random order?"""

from collections.abc import Sequence

import numpy as np

from diagnoser.evidence.preflight import TargetProfile
from diagnoser.spec.fields import Task
from diagnoser.training.probes.rows import Array, Rows

MOST_CLASSES = 1_000  # counts of more classes than this say nothing that a reader could use
CONTINUED = 0.9  # of the targets stand in the text one place later; ignored and replaced ones do not
PERMUTATIONS = 5  # the mean of five has an error far below the factor of two that matters

KINDS = {
    Task.CLASSIFICATION: "class",
    Task.BINARY: "binary",
    Task.MULTILABEL: "multilabel",
    Task.REGRESSION: "real",
    Task.LANGUAGE_MODEL: "tokens",
}


def kind_of(task: Task, target: Array | None) -> str:
    """Name the kind of target: by task, and where the task is the user's own by its type."""
    if target is None:
        return "none"
    if task in KINDS:
        return KINDS[task]
    few_whole_numbers = target.dtype.kind in "iub" and target.ndim == 1
    return "class" if few_whole_numbers else "real"


def profile(kind: str, train: Rows, validation: Rows) -> TargetProfile:
    """Describe the targets of the rows that were read."""
    target = train.target
    if target is None or kind == "none":
        nothing = float("nan")
        return TargetProfile(
            kind="none", dtype="none", distinct=0, minimum=nothing, maximum=nothing, mean=nothing, std=nothing
        )
    plain = target.astype(np.float64)
    finite = plain[np.isfinite(plain)]
    vectors = target.reshape(len(target), -1)
    rows_are_vectors = vectors.shape[1] > 1 and kind != "tokens"
    distinct = len(np.unique(vectors, axis=0)) if rows_are_vectors else len(np.unique(target))
    labels = class_labels(kind, target)
    counts = _counts(labels)
    nothing_finite = not finite.size
    return TargetProfile.model_validate(
        {
            "kind": kind,
            "dtype": str(target.dtype),
            "distinct": distinct,
            "minimum": float("nan") if nothing_finite else float(finite.min()),
            "maximum": float("nan") if nothing_finite else float(finite.max()),
            "mean": float("nan") if nothing_finite else float(finite.mean()),
            "std": float("nan") if nothing_finite else float(finite.std()),
            "counts": () if kind == "tokens" else counts,
            "validation_counts": ()
            if kind == "tokens"
            else _counts(class_labels(kind, validation.target), at_least=len(counts)),
            "row_sum_is_one_share": float(np.mean(np.abs(plain.reshape(len(plain), -1).sum(1) - 1) < 1e-3))
            if rows_are_vectors
            else None,
            "prior_entropy": None if labels is None else entropy(labels),
            "non_finite_values": int(plain.size - finite.size),
        }
    )


def class_labels(kind: str, target: Array | None) -> Array | None:
    """Return whole-number labels, flat, or None for real targets; vectors over classes give their largest entry."""
    if target is None or kind in {"real", "multilabel", "none"}:
        return None
    if target.dtype.kind == "f" and target.ndim == 2 and target.shape[1] > 1:
        return np.asarray(target.argmax(axis=1))
    flat = target.reshape(-1)
    if flat.dtype.kind == "f":
        if not np.isfinite(flat).all() or (flat != np.round(flat)).any():
            return None
        flat = flat.astype(np.int64)
    return flat.astype(np.int64)


def entropy(labels: Array) -> float:
    """Return the entropy of a sample of labels in nats."""
    _, counts = np.unique(labels, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def batch_label_spread(kind: str, delivered: Sequence[Array], all_targets: Array, *, seed: int) -> float | None:
    """Compare the spread of targets within the batches that came with that of the same targets permuted.

    Spread: the entropy of the labels, or the variance of real targets. None where batches of one row, one kind of
    target or no target leave nothing to compare.
    """
    sizes = [len(batch) for batch in delivered]
    if kind in {"tokens", "none"} or not sizes or max(sizes) < 2:
        return None
    rng = np.random.default_rng(seed)
    observed = float(np.mean([_spread(kind, batch) for batch in delivered]))
    enough = sum(sizes) <= len(all_targets)
    expected = []
    for _ in range(PERMUTATIONS):
        rows = rng.permutation(len(all_targets)) if enough else rng.integers(len(all_targets), size=sum(sizes))
        cuts = np.cumsum(sizes)
        parts = [all_targets[rows[end - size : end]] for end, size in zip(cuts, sizes, strict=True)]
        expected.append(np.mean([_spread(kind, part) for part in parts]))
    level = float(np.mean(expected))
    return observed / level if level > 0 and np.isfinite(level) else None


def token_shares(inputs: Sequence[Array], target: Array | None) -> tuple[float, float, float] | None:
    """Return how often target[t] is input[t + 1], input[t] and input[t + 2]; None where the shapes do not allow it.

    Of several texts (source and translation) the one counts that the targets continue best; where they continue none,
    the one that is most alike.
    """
    if target is None or target.ndim != 2 or target.shape[1] < 3:  # (B, T)
        return None
    found = [
        (
            float((target[:, :-1] == text[:, 1:]).mean()),
            float((target == text).mean()),
            float((target[:, :-2] == text[:, 2:]).mean()),
        )
        for text in inputs
        if text.shape == target.shape
    ]
    return max(found, key=lambda shares: (shares[0] >= CONTINUED, max(shares)), default=None)


def _spread(kind: str, batch: Array) -> float:
    labels = class_labels(kind, batch)
    if labels is not None:
        return entropy(labels)
    return float(batch.reshape(len(batch), -1).astype(np.float64).var(axis=0).mean())


def _counts(labels: Array | None, *, at_least: int = 0) -> tuple[int, ...]:
    if labels is None or not len(labels) or labels.max(initial=0) >= MOST_CLASSES:
        return ()
    return tuple(int(count) for count in np.bincount(labels[labels >= 0], minlength=at_least))
