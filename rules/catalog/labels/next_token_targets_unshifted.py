"""Is the next token really the next one?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import DataProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="The targets are not the next tokens",
    why="A model asked for the token that it is shown learns to copy, and can write nothing.",
    since="0.1",
    references=("https://github.com/karpathy/nanoGPT",),
)
ALL = 0.99  # of the positions
FIX = Fix(
    title="Shift by exactly one",
    transforms=(Transform.SHIFT_TARGETS,),
    advice="inputs `text[:-1]`, targets `text[1:]`, and no shift in the model",
)


def check(spec: TrainingSpec, data: DataProfile) -> Iterator[Finding | Passed]:
    right, same, twice = (
        data.shifted_targets_share,
        data.unshifted_targets_share,
        data.twice_shifted_targets_share,
    )
    if same is None or right is None or twice is None:
        raise NotApplicable("inputs and targets are not the tokens of one text")
    observed = (
        f"target[t] is input[t + 1] in {right:.0%}, input[t] in {same:.0%}, input[t + 2] in {twice:.0%} of positions"
    )
    expected = "input[t + 1] in all"
    if right >= ALL or max(same, twice) < ALL:
        yield Passed(observed=observed, expected=expected)
        return
    if spec.step is not None and same >= ALL:
        raise Unjudged("targets equal inputs; whether your own `step` shifts them cannot be seen from here")
    copied = same >= ALL
    yield Finding(
        title="The targets are the input tokens themselves" if copied else "The targets are two tokens ahead",
        message=f"In {max(same, twice):.0%} of the positions "
        + (
            "the target is the token that the model is shown: it only has to copy."
            if copied
            else "the target is the token after the next: the text was shifted twice."
        ),
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/data/value/" + ("un" if copied else "twice_") + "shifted_targets_share",
            "/steps/preflight/data/value/shifted_targets_share",
        ),
        fixes=(FIX,),
        key="data",
        subject="targets",
    )
