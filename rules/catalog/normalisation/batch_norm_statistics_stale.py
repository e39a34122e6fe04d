"""Do BatchNorm's running statistics fit the trained network?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.trials import Transform
from rules import norms, user_runs
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="BatchNorm's running statistics are stale",
    why="In eval mode the network is normalised by numbers that do not fit its weights: every figure is off.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html",),
)
FIRST = 100  # updates: until then running statistics lag behind in healthy runs too
USUAL = 0.1  # PyTorch's momentum: the weight of the newest batch
ODD = 0.5  # from here on the running statistics are those of the last few batches
FOLLOW = Fix(
    title="Let the statistics follow the weights",
    transforms=(Transform.TRACK_NORM_STATISTICS,),
    advice="`momentum=0.1` and `track_running_stats=True`; where they are so already, larger batches, or "
    "`reset_running_stats()` and a pass over training data in train mode before each evaluation",
)
GROUPS = Fix(title="Use GroupNorm, which keeps no statistics", transforms=(Transform.GROUP_NORM,))


def check(model: ModelProfile, curves: Curves) -> Iterator[Finding | Passed]:
    layers = [layer for layer in norms.batch_norms(model) if layer.norm_momentum_tracks]
    if not layers:
        raise NotApplicable("the model has no BatchNorm with running statistics")
    found = norms.gaps(curves)
    if not found:
        raise Unjudged("the loss in eval mode was not compared with that in train mode")
    if max(run.updates for run in user_runs.ours(curves)) < FIRST:
        raise Unjudged(f"the runs are shorter than {FIRST} updates")
    usual = sorted(found, key=lambda gap: gap.ratio)[len(found) // 2]
    observed = f"one batch costs {usual.eval:.3g} with running statistics and {usual.train:.3g} with its own"
    expected = f"at most {norms.APART:g} times as much"
    gap = norms.apart(curves)
    cured = user_runs.enough(one.apart and one.cured for one in found)
    if gap is None or not cured:
        because = "" if gap is None else "; fresh statistics do not cure it"
        yield Passed(observed=observed + because, expected=expected)
        return
    odd = [layer for layer in layers if layer.momentum is not None and not USUAL / 10 < layer.momentum < ODD]
    momentum = f" `{odd[0].path}` has momentum {odd[0].momentum:g}." if odd else ""
    yield Finding(
        title=f"In eval mode the loss is {gap.ratio:.2g} times higher",
        message=f"After training {observed}; with statistics gathered anew over 50 batches it costs "
        f"{gap.recalibrated or 0.0:.3g}.{momentum}",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # a control over the seeds
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/curves/value/runs/0/train_mode_loss",
            "/steps/curves/value/runs/0/eval_mode_loss",
            "/steps/curves/value/runs/0/recalibrated_loss",
        ),
        fixes=(FOLLOW, GROUPS),
        key="model",
        subject=(odd or layers)[0].path,
        by_definition=True,  # measured on the same weights: GroupNorm need not be better for it to be true
    )
