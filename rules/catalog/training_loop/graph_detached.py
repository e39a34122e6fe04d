"""Does the gradient reach the parameters that are to be trained?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import LoopAudit, ModelProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from rules import own_loop
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The graph is cut between loss and parameters",
    why="What lies before the cut gets no gradient and is never trained, whatever the optimizer does.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/notes/autograd.html#locally-disabling-gradient-computation",),
)
CUT_OFF = (
    "unused-parameters",
    "optimizer-not-stepped",
    "gradients-vanish",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "nothing-learned",
    "underfitting",
    "wrong-custom-gradient",  # a difference quotient sees through the cut
)
NO_GRAPH = "does not require grad"  # torch's words when `backward` is called on a loss without a graph
PRETRAINED = 0.1  # of the weights before the head may differ between two builds of a backbone that is loaded
ADVICE = Fix(
    title="Keep tensors in the graph",
    advice="no `detach()`, `.data`, `.item()`, NumPy, `argmax` or `torch.no_grad()` between the input and the loss",
)


def check(model: ModelProfile, loop: LoopAudit | None, curves: Curves | None) -> Iterator[Finding | Passed]:
    expected = "a gradient for every trainable parameter"
    cut = model.grad_free_before
    if cut is not None:
        whole = cut == "the loss"
        kept = model.random_share_outside_head
        on_purpose = not whole and kept is not None and kept < PRETRAINED
        where = "the loss has no graph" if whole else f"nothing before `{cut}` has a gradient"
        yield Finding(
            title="The loss has no gradient" if whole else f"No gradient reaches the layers before `{cut}`",
            message=f"After a backward pass {where}: the graph is cut "
            + ("between the outputs and the loss." if whole else f"at the input of `{cut}`.")
            + (" The layers before it are pretrained, so this may be meant." if on_purpose else ""),
            severity=Severity.INFO if on_purpose else Severity.ERROR,
            confidence=Confidence.LOW if on_purpose else Confidence.HIGH,
            observed=where,
            expected=expected,
            evidence=("/steps/preflight/model/value/grad_free_before",),
            fixes=(ADVICE,),
            explains=() if on_purpose else CUT_OFF,
            key="model",
            subject=cut,
            by_definition=True,
        )
        return
    error = loop.error if loop is not None else None
    if error is not None and NO_GRAPH in error.message:
        yield Finding(
            title="Your loop calls `backward` on a loss without a graph",
            message=f"In your loop `backward` raised: {error.message}",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,
            observed=f"{error.kind} in your loop",
            expected=expected,
            evidence=("/steps/preflight/loop/value/error",),
            fixes=(own_loop.REFERENCE, ADVICE),
            explains=own_loop.effects(curves),
            key="loop",
            by_definition=True,
        )
        return
    open_question = next((said for said in model.unanswered if said.startswith("the gradients")), None)
    if open_question is not None:
        raise Unjudged(f"no backward pass could be made; {open_question}")
    yield Passed(observed="the gradient reaches the first trainable layer", expected=expected)
