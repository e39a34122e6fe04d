"""Which findings take the ground from under other judgments? Their *passed* becomes *unjudged* (CATALOGUE)."""

from collections.abc import Sequence
from typing import NamedTuple

from diagnoser.findings import Confidence, Finding, Severity

JUDGED_ON_VALIDATION = frozenset(
    {
        "augmentation-too-strong", "batch-size-too-large", "batch-size-too-small", "capacity-too-small",
        "dropout-too-high", "early-stopping-too-impatient", "ema-unfit-for-run", "learning-rate-too-low",
        "loss-and-metric-disagree", "model-too-large-for-data", "no-independent-test-set", "no-learning-rate-decay",
        "nothing-learned", "optimizer-unfit", "overfitting", "schedule-unfit-for-run", "small-validation-set",
        "too-few-epochs", "training-past-best-epoch", "training-set-too-small", "underfitting",
        "weight-decay-too-high",
    }
)  # fmt: skip
"""Rules whose pass rests on a metric or loss of the validation split."""

JUDGED_OVER_SEEDS = frozenset(
    {
        "dead-relu-units", "initial-loss-off-chance", "initial-weights-too-large", "initial-weights-too-small",
        "seed-dependent-training", "small-set-not-memorised", "softmax-over-wrong-axis", "symmetric-weights",
    }
)  # fmt: skip
"""Rules that compare several models: with shared storage the second model is the first one, trained."""

FROM_THE_USERS_EVALUATE = frozenset({"metric-averaged-over-unequal-batches"})
"""Rules that read figures of the user's own `evaluate`."""


class Spoiled(NamedTuple):
    """What a finding spoils, and how to tell the user."""

    rules: frozenset[str]
    because: str


_VALIDATION = "the figures on validation cannot be trusted while this stands: {title}"

SPOILS: dict[str, Spoiled] = {
    "train-validation-overlap": Spoiled(JUDGED_ON_VALIDATION, _VALIDATION),
    "target-leaked-by-feature": Spoiled(JUDGED_ON_VALIDATION, _VALIDATION),
    "future-tokens-visible": Spoiled(JUDGED_ON_VALIDATION, _VALIDATION),
    "next-token-targets-unshifted": Spoiled(JUDGED_ON_VALIDATION, _VALIDATION),
    "model-factory-not-fresh": Spoiled(JUDGED_OVER_SEEDS, "the seeds share one model while this stands: {title}"),
    "evaluation-in-train-mode": Spoiled(
        FROM_THE_USERS_EVALUATE, "the figures of your evaluate cannot be trusted while this stands: {title}"
    ),
    # seeds-not-fixed spoils short cuts by equal bits; no rule takes one.
}


def spoiled(rule: str, findings: Sequence[Finding]) -> str | None:
    """Why this rule's pass means nothing; None when it stands. A hint (info, or low confidence) spoils nothing."""
    for finding in findings:
        entry = SPOILS.get(finding.rule)
        certain = finding.severity is not Severity.INFO and finding.confidence is not Confidence.LOW
        if entry is not None and certain and rule in entry.rules:
            return entry.because.format(title=finding.title)
    return None
