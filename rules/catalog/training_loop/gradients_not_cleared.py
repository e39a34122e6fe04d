"""Does the user's loop add up the gradients of past batches?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LoopAudit
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from rules import own_loop
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="Gradients are never cleared",
    why="Each update then follows the sum over all past batches, mostly stale: training goes on, but worse.",
    since="0.1",
    references=("https://docs.pytorch.org/tutorials/recipes/recipes/zeroing_out_gradients.html",),
)
TURNED = 1e-3  # 1 - cosine (CATALOGUE); two float32 sums of the same terms stay below 1e-5
ADVICE = Fix(
    title="Clear the gradients before each backward pass",
    advice="put `optimizer.zero_grad()` in the line before `loss.backward()`",
)


def check(loop: LoopAudit, curves: Curves | None) -> Iterator[Finding | Passed]:
    own_loop.require_loop(loop)
    cosine, summed = loop.gradient_cosine, loop.gradient_matches_sum
    expected = "the gradient of the current batch alone"
    if cosine is None or summed is None:
        raise Unjudged("the gradient at `step` could not be compared with that of its own batch")
    kept = summed and (1 - cosine > TURNED or (loop.clears == 0 and loop.steps > 2))
    observed = f"cosine {cosine:.4f} between the gradient at `step` and that of its batch"
    if not kept:
        yield Passed(observed=observed, expected=expected)
        return
    yield Finding(
        title="Your loop never clears the gradients" if loop.clears == 0 else None,
        message=f"At `step` the gradient points elsewhere than that of its own batch ({observed}), and equals the sum "
        f"over past batches: it was cleared {loop.clears} times in {loop.steps} steps.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # compared with the sum itself: by definition
        observed=observed,
        expected=expected,
        evidence=(
            "/steps/preflight/loop/value/gradient_cosine",
            "/steps/preflight/loop/value/gradient_matches_sum",
            "/steps/preflight/loop/value/clears",
        ),
        fixes=(own_loop.REFERENCE, ADVICE),
        explains=own_loop.effects(curves),
        key="loop",
        by_definition=True,
    )
