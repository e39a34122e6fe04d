"""Would another hidden activation do clearly better?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import CoarseSearch, FineSearch, Treatment, Treatments
from diagnoser.findings import Confidence, Fix, FixState, Severity
from diagnoser.spec.fields import TrainingSpec
from diagnoser.trials import Transform
from rules import confirmation, rates
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Another activation does clearly better",
    why="The hidden activation decides how well gradients travel; a change costs one line.",
    since="0.1",
    references=("Ramachandran, Zoph and Le 2017, Searching for activation functions",),
)
RELU = ("Use ReLU with Kaiming weights", Transform.RELU_ACTIVATIONS)
LEAKY = ("Use LeakyReLU", Transform.LEAKY_RELU)
GELU = ("Use GELU with Kaiming weights", Transform.GELU_ACTIVATIONS)
TANH = ("Use tanh with Xavier weights", Transform.TANH_ACTIVATIONS)
OTHERS = {"tanh": (RELU, GELU), "sigmoid": (RELU, GELU, TANH), "relu": (GELU, LEAKY, TANH)}
APART = 2.0  # times: between a learning rate and half of it or its double few programs can tell


def check(
    spec: TrainingSpec,
    model: ModelProfile,
    coarse: CoarseSearch | None,
    fine: FineSearch | None,
    treatments: Treatments | None,
) -> Iterator[Finding | Passed]:
    hidden = [layer for layer in model.layers if layer.hidden and layer.weight_norm is not None]
    used = sorted({layer.activation for layer in hidden if layer.activation in OTHERS})
    if sum(layer.activation == "sigmoid" for layer in hidden) > 1:
        raise NotApplicable("several hidden sigmoid layers are another rule's question")
    if not used:
        raise NotApplicable("the hidden activations are none that a machine can exchange")
    fixes = _fixes(spec, used[-1], coarse, fine)
    tried = [(fix, treatment) for fix in fixes if (treatment := confirmation.find(treatments, fix)) is not None]
    better = [fix for fix, treatment in tried if _is_better(fix, treatment, treatments)]
    observed = f"hidden activation {', '.join(used)}"
    expected = "none that is clearly better"
    if tried and not better:
        words = ", ".join(fix.title for fix, _ in tried)
        yield Passed(observed=f"{observed}; tried, and not clearly better: {words}", expected=expected)
        return
    if not tried and (spec.protocol.preset != "thorough" or treatments is not None):
        raise Unjudged("no other activation was tried; the preset thorough does")
    yield Finding(
        message=f"The hidden activation is {', '.join(used)}. "
        + (f"{better[0].title}: clearly better." if better else "Another one is worth a trial."),
        severity=Severity.WARNING if better else Severity.INFO,
        confidence=Confidence.HIGH if better else Confidence.LOW,
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/layers",),
        fixes=tuple(sorted(fixes, key=lambda fix: fix not in better)),
        key="model",
    )


def _fixes(spec: TrainingSpec, used: str, coarse: CoarseSearch | None, fine: FineSearch | None) -> tuple[Fix, ...]:
    """Each other activation at the user's lr, and at the winner of the search where that is another one."""
    plain = tuple(Fix(title=title, transforms=(transform,)) for title, transform in OTHERS[used])
    won = rates.searched(coarse, fine)
    lr = spec.optimizer.lr
    if won is None or max(won.lr, lr) < APART * min(won.lr, lr):
        return plain
    at = rates.rounded(won.lr)
    return plain + tuple(
        Fix(title=f"{title}, at a learning rate of {at:g}", transforms=(transform,), patch={"optimizer.lr": at})
        for title, transform in OTHERS[used]
    )


def _is_better(fix: Fix, treatment: Treatment, treatments: Treatments | None) -> bool:
    """Verified; and where the lr was changed as well, with the user's activation that lr was tried and did nothing."""
    if confirmation.compare(treatment).state is not FixState.VERIFIED:
        return False
    if not fix.patch:
        return True
    alone = confirmation.find(treatments, Fix(title="", patch=fix.patch))
    return alone is not None and confirmation.compare(alone).state is not FixState.VERIFIED
