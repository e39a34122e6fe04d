"""Do the outputs depend on the inputs at all?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Overfit, SmallSetAttempt
from diagnoser.findings import Confidence, Fix, Severity
from rules import rates, user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The model ignores its inputs",
    why="A model whose outputs do not depend on the inputs can learn the average answer and nothing else.",
    since="0.1",
    references=("http://karpathy.github.io/2019/04/25/recipe/",),
)
AS_BAD = 0.01  # of the real inputs' loss: step 2 with zeroed inputs then learned just as much (CATALOGUE)
ALL_DEAD = 0.99  # share of a layer's units: nothing passes such a layer, whatever the wiring
EFFECTS = ("small-set-not-memorised", "underfitting", "nothing-learned", "overfitting")


def check(model: ModelProfile, overfit: Overfit | None) -> Iterator[Finding | Passed]:
    if model.inputs_ignored is None:
        raise Unjudged("inputs could not be exchanged between the rows of a batch")
    plain = rates.plain_attempts(overfit)
    if not model.inputs_ignored or any(attempt.memorised for attempt in plain):
        yield Passed(
            observed="exchanging rows changes the outputs" if not model.inputs_ignored else "the small set is learned",
            expected="outputs that follow the inputs",
        )
        return
    dead = next((layer.path for layer in model.layers if layer.hidden and (layer.dead_share or 0.0) >= ALL_DEAD), None)
    if dead is not None:
        raise Unjudged(
            f"all units of {dead} are dead, so nothing passes it: whether the inputs are wired in is unknown"
        )
    control = _as_bad_without_inputs(plain, overfit)
    constant = model.output is not None and model.output.std == 0
    if control is False or (control is None and constant):
        raise Unjudged("the untrained outputs are constant, as those of a last layer that starts at zero are")
    yield Finding(
        message="Exchanging the inputs between the rows of a batch changes no output, in three initialisations."
        + (" With all inputs set to zero the small set is learned just as badly." if control else ""),
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed="no output changes when the inputs are exchanged between rows",
        expected="each row's output follows its own input",
        evidence=(
            "/steps/preflight/model/value/inputs_ignored",
            *(("/steps/overfit/value/attempts",) if control else ()),
        ),
        fixes=(
            Fix(
                title="Wire the input in", advice="look for an argument of `forward` that is never used, or overwritten"
            ),
        ),
        explains=EFFECTS,
        key="model",
    )


def _as_bad_without_inputs(plain: tuple[SmallSetAttempt, ...], overfit: Overfit | None) -> bool | None:
    """Whether zeroed inputs end within 1 % of the real ones' loss; None when that was not measured."""
    if overfit is None:
        return None
    zeroed = user_runs.middle(a.final_loss for a in overfit.attempts if a.control == "zeroed_inputs")
    real = user_runs.middle(a.final_loss for a in plain if rates.same(a.lr, overfit.user_lr))
    if zeroed is None or real is None:
        return None
    return zeroed - real <= AS_BAD * abs(real)
