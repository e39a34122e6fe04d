"""Is most of what the model computes padding?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Most positions are padding",
    why="Padding is computed like everything else, and thrown away.",
    since="0.1",
    references=(
        "https://docs.aws.amazon.com/sagemaker/latest/dg/debugger-built-in-rules.html",
        "https://docs.pytorch.org/docs/stable/data.html#loading-batched-and-non-batched-data",
    ),
)
MOST = 0.5  # CATALOGUE: of the positions of an epoch
SAVES = 0.1  # of the positions at least, were rows of like length batched together: else nothing can be done
FEWEST_ROWS = 32  # looked at


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
    padding = model.padding
    if padding is None:
        open_ = next((line for line in model.unanswered if line.startswith("padding:")), None)
        if open_ is not None:
            raise Unjudged(open_)
        raise NotApplicable("rows are not seen to be padded to one length")
    if padding.rows < FEWEST_ROWS:
        raise Unjudged(f"only {padding.rows} rows were looked at")
    observed = f"{padding.share:.0%} of the positions are padding; {padding.share_by_length:.0%} in batches by length"
    expected = f"at most {MOST:.0%}"
    if padding.share <= MOST or padding.share - padding.share_by_length < SAVES:
        yield Passed(observed=observed, expected=expected)
        return
    times = (1 - padding.share_by_length) / (1 - padding.share)
    yield Finding(
        title=f"{padding.share:.0%} of the positions are padding",
        message=f"Rows have {padding.typical_length:.0f} positions (median) and are padded to as many as "
        f"{padding.width}: {padding.share:.0%} of what the model computes is padding. In batches of rows of like "
        f"length it would be {padding.share_by_length:.0%}, and the same rows {times:.1f} times fewer positions.",
        severity=Severity.INFO,
        confidence=Confidence.HIGH,  # a count
        by_definition=True,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/padding/share", "/steps/preflight/model/value/padding/share_by_length"),
        fixes=(
            Fix(
                title="Batch rows of like length",
                advice="pad each batch to its own longest row, in the `collate_fn`, and draw batches from rows sorted "
                "by length (shuffled within groups of some hundred rows, so that the order stays random)",
            ),
        ),
        key="data",
    )
