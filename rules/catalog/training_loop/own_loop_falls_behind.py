"""Does the user's own loop end far below a plain one, whatever the cause?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.evidence.steps import Curves, Treatments
from diagnoser.findings import Fix, FixState
from rules import claims, own_loop, user_runs
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="Your own loop falls behind a plain one",
    why="A loop that learns less from the same batches has a fault, even where no check knows its name.",
    since="0.1",
    references=("https://docs.pytorch.org/tutorials/beginner/basics/optimization_tutorial.html",),
)
FAR = 0.05  # of a share metric: a loop may give up some points for something that it was written for


def check(loop: LoopAudit, curves: Curves, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    own_loop.require_loop(loop)
    if not any(run.loop == "user" for run in curves.runs):
        raise Unjudged("your loop was not run to its end")
    ends = {who: user_runs.middle(user_runs.last(run.validation_metric) for run in curves.runs if run.loop == who)
            for who in ("user", "ours")}  # fmt: skip
    theirs, ours = ("failed" if end is None else f"{end:.3g}" for end in (ends["user"], ends["ours"]))
    observed = f"validation {curves.metric.replace('_', ' ')} {theirs} in your loop, {ours} in a plain one"
    expected = "about as much in both"
    claim = claims.claim(treatments, own_loop.REFERENCE, least=FAR)
    if not own_loop.worse_than_ours(curves) or claim.state is FixState.REFUTED:
        yield Passed(observed=observed, expected=expected)
        return
    yield Finding(
        title=f"Your own loop falls behind a plain one: {theirs} against {ours}",
        message="The same model, data, optimizer and seed were trained by your `loop` and by ours, which does nothing "
        f"but `zero_grad`, `backward`, clip and `step`: {observed}.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/curves/value/runs",),
        fixes=(
            own_loop.REFERENCE,
            Fix(
                title="Compare your loop with a plain one",
                advice="take one thing out at a time: casts, scalers, clipping, schedulers, everything between "
                "`backward` and `step`",
            ),
        ),
        explains=own_loop.SYMPTOMS if claim.verified else (),
        key="loop",
    )
