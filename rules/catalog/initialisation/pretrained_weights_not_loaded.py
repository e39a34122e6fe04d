"""Were pretrained weights asked for, and are the weights random nevertheless?"""

from collections.abc import Iterator

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Fix, Severity
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec
from rules.rule import Finding, NotApplicable, Passed, Rule, Unjudged

RULE = Rule(
    title="Pretrained weights were not loaded",
    why="A fine-tuning recipe on random weights trains slowly, to a poor end, and says nothing.",
    since="0.1",
    references=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict",),
)
ASK = ("pretrained", "weights", "checkpoint", "ckpt")  # in the name of an argument of the model factory
RANDOM = 0.10  # of the parameters before the head; a new head is random by design (CATALOGUE)


def check(spec: TrainingSpec, model: ModelProfile) -> Iterator[Finding | Passed]:
    asked = next((f"{k}: {v}" for k, v in spec.model.args.items() if _asks(k, v)), None)
    if asked is None:
        raise NotApplicable("`model.args` asks for no pretrained weights")
    share, where = _random_share(model)
    if share is None:
        raise Unjudged("how much of the model differs between two builds was not measured")
    observed = f"{share:.0%} of the parameters {where} differ between two builds with different seeds"
    expected = f"at most {RANDOM:.0%}: pretrained weights are the same in every build"
    if share <= RANDOM:
        yield Passed(observed=observed, expected=expected)
        return
    yield Finding(
        message=f"`model.args` says {asked}, but {observed}: they are random.",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,  # a control: weights that were loaded do not depend on the seed
        observed=observed,
        expected=expected,
        evidence=("/steps/preflight/model/value/random_share_outside_head", "/spec/model/args"),
        fixes=(
            Fix(
                title="Look at what was not loaded",
                advice="print the result of `load_state_dict`: it names missing and unexpected keys; "
                "keys that begin with `module.` or `model.` come from a wrapper",
            ),
        ),
        explains=("layers-frozen-by-accident", "learning-rate-too-low", "underfitting", "too-few-epochs"),
        key="model.args",
    )


def _asks(name: str, value: JsonValue) -> bool:
    wanted = any(word in name.lower() for word in ASK)
    return wanted and value not in (None, False, "", "none", "None")


def _random_share(model: ModelProfile) -> tuple[float | None, str]:
    if model.equal_for_different_seeds:
        return 0.0, "of the model"
    if model.random_share_outside_head is not None:
        return model.random_share_outside_head, "before the last layer"
    if model.frozen_parameters > 0:
        return model.frozen_are_random_share, "that are frozen"
    return None, ""
