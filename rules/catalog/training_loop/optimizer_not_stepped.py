"""Do parameters with a gradient stay as they are?"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from diagnoser.evidence.preflight import LoopAudit, OptimizerProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.spec.fields import TrainingSpec
from rules import own_loop
from rules.rule import Finding, Passed, Rule, Unjudged

RULE = Rule(
    title="The optimizer never moves the parameters",
    why="Without an update the model stays as it was drawn, however long it is trained.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/optim.html#taking-an-optimization-step",),
)
ADVICE = Fix(title="Step after each backward pass", advice="put `optimizer.step()` in the line after `loss.backward()`")
NAMED = 3  # parameters in the message; the record has them all


def check(
    spec: TrainingSpec, optimizer: OptimizerProfile | None, loop: LoopAudit | None, curves: Curves | None
) -> Iterator[Finding | Passed]:
    if optimizer is None and loop is None:
        raise Unjudged("neither the optimizer nor your loop could be watched")
    expected = "every parameter with a gradient has moved"
    if loop is not None and _loop_is_still(loop, batches=spec.accumulate_batches):
        called = f"`optimizer.step()` was called {loop.steps} times in {loop.batches_drawn} batches"
        yield Finding(
            title="Your loop never steps the optimizer" if loop.steps == 0 else "Your loop's steps change nothing",
            message=f"After {loop.batches_drawn} batches of your loop no parameter has changed, although there were "
            f"gradients: {called}.",
            severity=Severity.ERROR,
            confidence=Confidence.HIGH,
            observed="no parameter changed",
            expected=expected,
            evidence=("/steps/preflight/loop/value/parameters_changed", "/steps/preflight/loop/value/steps"),
            fixes=(own_loop.REFERENCE, ADVICE),
            explains=own_loop.effects(curves),
            key="loop",
            by_definition=True,
        )
        return
    still = _still(optimizer, spec) if optimizer is not None else ()
    if not still:
        yield Passed(observed=expected, expected=expected)
        return
    more = f" and {len(still) - NAMED} more" if len(still) > NAMED else ""
    names = ", ".join(f"`{name}`" for name in still[:NAMED]) + more
    yield Finding(
        message=f"After two updates {names} are exactly as they were, although the optimizer has them and their "
        "gradient is not zero.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        observed=f"{len(still)} parameter tensors unchanged",
        expected=expected,
        evidence=("/steps/preflight/optimizer/value/unchanged",),
        fixes=(
            Fix(
                title="Let the optimizer update them",
                advice="look at its lr for these parameters, and at hooks or code that writes the old values back",
            ),
        ),
        explains=("nothing-learned", "underfitting"),
        key="optimizer",
        by_definition=True,
    )


def _loop_is_still(loop: LoopAudit, *, batches: int) -> bool:
    enough = loop.batches_drawn > batches
    return loop.has_loop and enough and loop.parameters_changed is False and loop.gradient_nonzero is True


def _still(optimizer: OptimizerProfile, spec: TrainingSpec) -> tuple[str, ...]:
    """Unchanged parameters that the spec does not keep frozen for the first epochs."""
    frozen = [group.match for group in spec.optimizer.groups if group.frozen_epochs]
    return tuple(name for name in optimizer.unchanged if not any(fnmatchcase(name, match) for match in frozen))
