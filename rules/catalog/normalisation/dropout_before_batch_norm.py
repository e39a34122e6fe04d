"""Does dropout give BatchNorm another variance in training than in evaluation?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.trials import Transform
from rules import claims, norms
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Dropout stands before BatchNorm",
    why="Dropout raises the variance that BatchNorm learns; in eval mode it is gone, and the scale is wrong.",
    since="0.1",
    references=("https://arxiv.org/abs/1801.05134",),
)
MOVE = Fix(
    title="Move dropout behind the last BatchNorm",
    transforms=(Transform.MOVE_DROPOUT,),
    advice="right before the last linear layer, as a rule",
)
NONE = Fix(title="Train without dropout", transforms=(Transform.NO_DROPOUT,))


def check(model: ModelProfile, curves: Curves | None, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    if not norms.batch_norms(model):
        raise NotApplicable("the model has no BatchNorm")
    pair = _dropout_then_norm(model.layers)
    if pair is None:
        raise NotApplicable("no dropout stands before a BatchNorm")
    if curves is None or not norms.gaps(curves):
        raise Unjudged("the loss in eval mode was not compared with that in train mode")
    dropout, norm = pair
    gap = norms.apart(curves)
    expected = f"a loss in eval mode at most {norms.APART:g} times that in train mode"
    claim = claims.claim(treatments, MOVE, NONE)
    if gap is None or claim.state is FixState.REFUTED:
        ratio = max(one.ratio for one in norms.gaps(curves))
        yield Passed(observed=f"at most {ratio:.2g} times, or no better with dropout moved or gone", expected=expected)
        return
    yield Finding(
        title=f"`{dropout.path}` drops values before `{norm.path}`",
        message=f"`{dropout.path}` (p = {dropout.dropout:g}) stands before `{norm.path}`, and on one batch the loss in "
        f"eval mode is {gap.ratio:.2g} times that in train mode.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=f"{gap.ratio:.2g} times",
        expected=expected,
        evidence=("/steps/preflight/model/value/layers", "/steps/curves/value/runs/0/eval_mode_loss"),
        fixes=(MOVE, NONE),
        explains=("batch-norm-statistics-stale", "overfitting") if claim.verified else (),
        key="model",
        subject=dropout.path,
    )


def _dropout_then_norm(layers: tuple[LayerProfile, ...]) -> tuple[LayerProfile, LayerProfile] | None:
    """The first dropout in forward order that a BatchNorm follows, and the BatchNorm."""
    for index, layer in enumerate(layers):
        if "Dropout" in layer.type and (layer.dropout or 0.0) > 0:
            behind = next((later for later in layers[index + 1 :] if norms.is_batch_norm(later)), None)
            return None if behind is None else (layer, behind)
    return None
