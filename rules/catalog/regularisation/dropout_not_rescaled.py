"""Does a dropout written by hand keep the mean of what it thins out?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="A dropout of one's own is not rescaled",
    why="Units that are dropped in training and all there in evaluation reach the next layer on another scale.",
    since="0.1",
    references=(
        "https://jmlr.org/papers/v15/srivastava14a.html",
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html",
    ),
)
OFF = 0.1  # from 1: the dropout of 10 % that is common; less moves no network much
SURE = 4.0  # standard errors
EFFECTS = ("overfitting", "underfitting")


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
    mask = model.hand_mask
    if mask is None:
        reason = next((line for line in model.unanswered if line.startswith("a mask of one's own:")), None)
        if reason is not None:
            raise Unjudged(reason)
        raise NotApplicable("no random mask of the model's own was seen")
    observed = f"{mask.where}: {mask.kept_share:.0%} of the units are kept, times {mask.scale:.2f}"
    expected = f"kept units are multiplied by {1 / mask.kept_share:.2f}, so that the mean stays"
    off = abs(mask.mean_ratio - 1)
    if off <= SURE * mask.standard_error or off < OFF / 2:
        yield Passed(observed=observed, expected=expected)
        return
    grave = off >= OFF
    yield Finding(
        title=f"A mask at {mask.where} changes the mean by {mask.mean_ratio - 1:+.0%}",
        message=f"In train mode {mask.where} keeps {mask.kept_share:.0%} of its units at random and multiplies them by "
        f"{mask.scale:.2f} ({mask.masks} masks): on average the next layer sees {mask.mean_ratio:.2f} of what it sees "
        "in eval mode.",
        severity=Severity.WARNING if grave else Severity.INFO,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/model/value/hand_mask/kept_share",
            "/steps/preflight/model/value/hand_mask/scale",
        ),
        fixes=(
            Fix(
                title="Rescale what is kept",
                advice=f"divide by the share that is kept ({mask.kept_share:.2f}), or use "
                f"`nn.Dropout({1 - mask.kept_share:.2f})`",
            ),
        ),
        explains=EFFECTS if grave else (),
        key="model",
        subject=mask.where,
    )
