"""Are there layers that PyTorch does not know of?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="Layers are not registered with the model",
    why="Layers in a plain list or dict are missing from `parameters()`: no optimizer trains them, no file saves them.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html",),
)
SHOWN = 5
EFFECTS = (
    "capacity-too-small",
    "small-set-not-memorised",
    "no-learning-rate-works",
    "underfitting",
    "loss-plateaus",
    "nothing-learned",
)


def check(model: ModelProfile) -> Iterator[Finding | Passed]:
    hidden = model.unregistered
    expected = "every layer is in `named_parameters()`"
    if not hidden:
        yield Passed(observed="no layer is hidden in a plain attribute", expected=expected)
        return
    names = ", ".join(hidden[:SHOWN]) + (f" and {len(hidden) - SHOWN} more" if len(hidden) > SHOWN else "")
    yield Finding(
        title=f"Layers in {hidden[0]} are not registered with the model",
        message=f"{names} hold layers or parameters that `named_parameters()` does not list: they are never trained, "
        "moved to a device or saved.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # by definition
        by_definition=True,
        observed=f"{len(hidden)} unregistered: {names}",
        expected=expected,
        evidence=("/steps/preflight/model/value/unregistered",),
        fixes=(Fix(title="Register them", advice="use `nn.ModuleList`, `nn.ModuleDict` or `nn.ParameterList`"),),
        explains=EFFECTS,
        key="model",
        subject=hidden[0],
    )
