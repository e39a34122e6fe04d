"""Is a setting of the optimizer outside the range in which it works?"""

from collections.abc import Iterator
from typing import NamedTuple

from diagnoser.evidence.preflight import OptimizerProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec
from rules import claims
from rules.rule import Finding, Passed, Rule

RULE = Rule(
    title="An optimizer setting is out of range",
    why="A decimal too many in eps, beta or momentum turns a good optimizer into one that hardly moves or never stops.",
    since="0.1",
    references=("https://arxiv.org/abs/1412.6980", "https://arxiv.org/abs/1711.05101"),
)
EPS = (1e-10, 1e-3)  # 1e-3 is published for RMSprop on pictures
BETA1 = (0.5, 0.99)  # 0 is published for adversarial training, and left alone
BETA2 = (0.9, 0.9999)  # 0.95 is published for transformers
MOMENTUM = 0.99  # 0.999 averages over 1,000 steps
COUPLED = 1e-4  # weight decay inside plain Adam, where it is divided by the gradient's size too
EFFECTS = ("optimizer-unfit", "loss-diverges", "non-finite-loss", "underfitting", "loss-plateaus")


class _Odd(NamedTuple):
    """One setting, what is usual, and what to change."""

    name: str
    value: float
    usual: str
    fix: Fix


def check(spec: TrainingSpec, optimizer: OptimizerProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    odd = tuple(_odd(spec, optimizer))
    if not odd:
        shown = ", ".join(f"{k} {v}" for k, v in optimizer.settings.items() if k in {"eps", "betas", "momentum"} and v)
        yield Passed(observed=f"{optimizer.name}: {shown or 'its defaults'}", expected="settings in their usual range")
        return
    for setting in odd:
        claim = claims.claim(treatments, setting.fix)
        tried = " The usual value was tried and is not better." if claim.state is FixState.REFUTED else ""
        observed = f"{setting.name} {setting.value:g}"
        yield Finding(
            title=f"{setting.name} of {optimizer.name} is {setting.value:g}",
            message=f"{setting.name} of {optimizer.name} is {setting.value:g}; {setting.usual}.{claim.words}{tried}",
            severity=Severity.WARNING if claim.verified else Severity.INFO,
            confidence=Confidence.HIGH if claim.verified else Confidence.LOW,
            observed=observed,
            expected=setting.usual,
            evidence=("/steps/preflight/optimizer/value/settings",),
            fixes=(setting.fix,),
            explains=EFFECTS if claim.verified else (),
            key=f"optimizer.{setting.name}" if setting.name in {"momentum", "weight_decay"} else "optimizer.args",
            subject=setting.name,
        )


def _odd(spec: TrainingSpec, optimizer: OptimizerProfile) -> Iterator[_Odd]:
    eps = _number(optimizer.settings.get("eps"))
    if eps is not None and not EPS[0] <= eps <= EPS[1]:
        yield _Odd("eps", eps, f"usual is {EPS[0]:g} to {EPS[1]:g}", _without(spec, "eps"))
    betas = optimizer.settings.get("betas")
    if isinstance(betas, list | tuple) and len(betas) == 2:
        beta1, beta2 = _number(betas[0]), _number(betas[1])
        if beta1 is not None and beta1 != 0 and not BETA1[0] <= beta1 <= BETA1[1]:
            yield _Odd("beta1", beta1, f"usual is {BETA1[0]:g} to {BETA1[1]:g}", _without(spec, "betas"))
        if beta2 is not None and not BETA2[0] <= beta2 <= BETA2[1]:
            yield _Odd("beta2", beta2, f"usual is {BETA2[0]:g} to {BETA2[1]:g}", _without(spec, "betas"))
    momentum = _number(optimizer.settings.get("momentum"))
    if momentum is not None and momentum > MOMENTUM:
        fix = Fix(title="Set the momentum to 0.9", patch={"optimizer.momentum": 0.9})
        yield _Odd("momentum", momentum, f"usual is 0.9, and at most {MOMENTUM:g}", fix)
    decay = _number(optimizer.settings.get("weight_decay"))
    decoupled = optimizer.settings.get("decoupled_weight_decay") is True
    if optimizer.name == "Adam" and not decoupled and decay is not None and decay > COUPLED:
        if spec.optimizer.factory is None:
            fix = Fix(title="Use AdamW, which decays the weights themselves", patch={"optimizer.name": "adamw"})
        else:
            fix = Fix(
                title="Use AdamW, which decays the weights themselves", advice="torch.optim.AdamW in your factory"
            )
        usual = "inside Adam it is divided by the gradient's size too; AdamW decays the weights themselves"
        yield _Odd("weight_decay", decay, usual, fix)


def _without(spec: TrainingSpec, name: str) -> Fix:
    """The default of this argument; a factory must be changed by hand."""
    if spec.optimizer.factory is not None or name not in spec.optimizer.args:
        return Fix(title=f"Leave {name} at its default", advice=f"remove `{name}` where the optimizer is built")
    rest: dict[str, JsonValue] = {key: value for key, value in spec.optimizer.args.items() if key != name}
    return Fix(title=f"Leave {name} at its default", patch={"optimizer.args": rest})


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
