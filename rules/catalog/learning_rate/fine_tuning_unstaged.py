"""Should the pretrained part of the model move more gently than its new head?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Treatments
from diagnoser.findings import Fix, FixState
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec
from rules import claims, signal
from rules.rule import Finding, NotApplicable, Passed, Rule

RULE = Rule(
    title="Pretrained layers train as fast as the new head",
    why="The random head's first gradients wash out what the pretrained layers had learned.",
    since="0.1",
    references=("https://arxiv.org/abs/1801.06146",),
)
PRETRAINED = 0.10  # at most this share of the layers before the head differs between two builds
GENTLER = 0.1  # times the head's learning rate (CATALOGUE)
MOSTLY_FROZEN = 0.5  # of the parameters: then there is little to move gently


def check(spec: TrainingSpec, model: ModelProfile, treatments: Treatments | None) -> Iterator[Finding | Passed]:
    share = model.random_share_outside_head
    if share is None or share > PRETRAINED or model.equal_for_different_seeds:
        raise NotApplicable("nothing shows pretrained layers under a new head")
    if model.frozen_parameters > MOSTLY_FROZEN * model.parameters:
        raise NotApplicable("most of the pretrained part is frozen")
    expected = "pretrained layers at a tenth of the head's learning rate, or frozen at first"
    if spec.optimizer.groups:
        yield Passed(observed=f"{len(spec.optimizer.groups)} groups of parameters", expected=expected)
        return
    patterns = _backbone(model)
    if not patterns:
        raise NotApplicable("the model has a single layer")
    groups: list[JsonValue] = [{"match": pattern, "lr_scale": GENTLER} for pattern in patterns]
    fix = Fix(title="Train the pretrained layers at a tenth of the learning rate", patch={"optimizer.groups": groups})
    claim = claims.claim(treatments, fix)
    observed = "one learning rate for pretrained layers and the new head"
    if claim.state is FixState.REFUTED:
        yield Passed(observed=f"{observed}; a tenth for the former was tried and is not better", expected=expected)
        return
    yield Finding(
        message="The layers before the head are the same in every build, so they are pretrained; "
        f"the spec has {observed}.{claim.words}",
        severity=claim.severity,
        confidence=claim.confidence,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/random_share_outside_head", "/spec/optimizer/groups"),
        fixes=(fix,),
        key="optimizer.groups",
    )


def _backbone(model: ModelProfile) -> tuple[str, ...]:
    """Patterns for everything before the last weight layer, as short as they can be."""
    weights = signal.weight_layers(model)
    if len(weights) < 2:
        return ()
    head = weights[-1].path
    tops = dict.fromkeys(layer.path.split(".")[0] for layer in model.layers if layer.parameters > 0)
    if head.split(".")[0] in [layer.path.split(".")[0] for layer in weights[:-1]]:
        return tuple(f"{layer.path}.*" for layer in model.layers if layer.parameters > 0 and layer.path != head)
    return tuple(f"{top}.*" for top in tops if top != head.split(".")[0])
