"""Does training make the answers worse on purpose?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import Assumptions, LoopAudit, LossProfile, OptimizerProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.trials import Transform
from rules import confirmation, own_loop
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The loss is climbed instead of descended",
    why="With a wrong sign every step makes the model worse, as fast as it can.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html",),
)
RISES = 0.8  # share of updates at a hundredth of the lr after which the same batch's loss rose
NEVER_NEGATIVE = ("cross_entropy", "bce", "bce_with_logits", "mse", "l1", "huber", "focal")
TURN = Fix(
    title="Turn the sign of the loss",
    transforms=(Transform.NEGATE_LOSS,),
    advice="drop the minus sign where the loss is computed",
)
DESCEND = Fix(
    title="Turn the sign in your loop", advice="`loss.backward()`, not `(-loss).backward()`; no `maximize=True`"
)
EFFECTS = (
    "loss-diverges",
    "non-finite-loss",
    "loss-and-metric-disagree",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "nothing-learned",
)


def check(
    assumptions: Assumptions,
    loss: LossProfile,
    optimizer: OptimizerProfile | None,
    loop: LoopAudit | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    maximises = optimizer is not None and optimizer.settings.get("maximize") is True
    worse = loss.falls_with_worse_answers is True
    negative = loss.negative and assumptions.loss_family in NEVER_NEGATIVE
    rises = loop.loss_rises_on_same_batch if loop is not None else None
    climbs = rises is not None and rises >= RISES
    known = assumptions.loss_family != "other"
    if loss.falls_with_worse_answers is None and rises is None and not maximises:
        raise Unjudged("how the loss answers to better and worse outputs could not be measured")
    if maximises and worse and not climbs:
        yield Passed(observed="a negated loss, maximised", expected="a sign that improves the answers")
        return
    if not (maximises or worse or negative or climbs):
        yield Passed(observed="better answers lower the loss", expected="a loss that falls with better answers")
        return
    if worse or negative:
        what, pointer = (
            "the loss falls as the answers get worse",
            "/steps/preflight/loss/value/falls_with_worse_answers",
        )
        fixes: tuple[Fix, ...] = (TURN,)
        key = "loss"
    elif maximises:
        what, pointer = "the optimizer maximises the loss", "/steps/preflight/optimizer/value/settings"
        fixes = (Fix(title="Minimise", patch={"optimizer.args.maximize": False}),)
        key = "optimizer.args.maximize"
    else:
        what = f"after {rises:.0%} of small updates of your loop the same batch's loss was higher"
        pointer = "/steps/preflight/loop/value/loss_rises_on_same_batch"
        fixes = (own_loop.REFERENCE, DESCEND)
        key = "loop"
    known = known or maximises or climbs or confirmation.state(treatments, *fixes) is FixState.VERIFIED
    yield Finding(
        title=f"{what[0].upper()}{what[1:]}",
        message=f"{what[0].upper()}{what[1:]}: each step climbs.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH if known else Confidence.MEDIUM,
        observed=what,
        expected="a loss that falls with better answers, and is minimised",
        evidence=(pointer,),
        fixes=fixes,
        explains=EFFECTS
        if key != "loop"
        else ("own-loop-falls-behind", "loss-diverges", "non-finite-loss", "nothing-learned"),
        key=key,
    )
