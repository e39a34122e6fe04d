from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from diagnoser.errors import SpecError
from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.reading import parse_spec
from diagnoser.spec.schema import json_schema
from diagnoser.spec.yaml_text import read_yaml

REAL = (
    """
model: project:Net
data: {factory: project:get_data, batch_size: 32}
loss: {factory: torch.nn:BCEWithLogitsLoss}
optimizer: {name: adam, lr: 0.002, weight_decay: 0.0001}
scheduler: {name: cosine}
epochs: 20
""",
    """
name: text
model: project:CharTransformer
data: project:build_data
loss: project:char_loss
optimizer: {factory: project:build_optimizer, lr: 0.004, weight_decay: 0.01}
epochs: 7
gradient_clip_norm: 1.0
task: language_model
""",
    """
model: project:build_model
data: {factory: project:build_data, batch_size: 50, shuffle: true}
loss: cross_entropy
optimizer: {name: sgd, lr: 0.1, momentum: 0.9, args: {nesterov: true}}
epochs: 8
loop: project:train_one_epoch
evaluate: project:evaluate
""",
    """
model: project:Denoiser
data: {factory: project:build_data}
step: project:diffusion_step
optimizer: {name: adamw, lr: 0.01, weight_decay: 0.0}
ema: {decay: 0.995, update_every: 1}
task: custom
""",
    """
model: {class_path: pkg.net.Net, init_args: {width: 3}}
data: {_target_: pkg.data.make, root: x, batch_size: 8}
optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1}}
scheduler:
metric: {factory: a:b, higher_is_better: false}
""",
    """
model: a:b
data: a:c
optimizer: AdamW
scheduler: cosine
metric: accuracy
steps: 1e4
device: cuda:0
search:
  optimizer.lr: {range: [1e-5, 1e-1], scale: log}
  model.args.width: {values: [1, two]}
rules: {ignore: [{rule: a, reason: b, expires: 2027-01-31}]}
gate: {mode: all}
environment: [HOME]
protocol: {preset: quick}
budget: {minutes: 5}
""",
    """
model: a:b
data: a:c
optimizer: {lr: 0.1, groups: [{match: x, lr_scale: 2}]}
early_stopping: {patience: 3, metric: loss}
seed: 4294967295
""",
)

WRONG = (
    "data: a:b",
    "model: a:b\ndata: a:b\nlr: 0.1",
    "model: a:b\ndata: a:b\nepochs: 3\nsteps: 4",
    "model: a:b\ndata: a:b\nepochs: 0",
    "model: a:b\ndata: a:b\nepochs: 2.5",
    "model: build_model\ndata: a:b",
    "model: a:b\ndata: {factory: a:b, shuffle: off}",
    "model: a:b\ndata: {factory: a:b, batch_sise: 3}",
    "model: a:b\ndata: a:b\noptimizer: {lr: fast}",
    "model: a:b\ndata: a:b\noptimizer: {lr: '1e-3'}",
    "model: a:b\ndata: a:b\noptimizer: {lr: 0}",
    "model: a:b\ndata: a:b\noptimizer: admw",
    "model: a:b\ndata: a:b\noptimizer: {factory: a:b, groups: [{match: x}]}",
    "model: a:b\ndata: a:b\noptimizer: {groups: [{lr_scale: 2}]}",
    "model: a:b\ndata: a:b\nloss: cross_entorpy",
    "model: a:b\ndata: a:b\nloss: {name: mse_loss, factory: a:b}",
    "model: a:b\ndata: a:b\nloss: {args: {}}",
    "model: a:b\ndata: a:b\nscheduler: cosin",
    "model: a:b\ndata: a:b\ndevice: gpu",
    "model: a:b\ndata: a:b\ntask: classifcation",
    "model: a:b\ndata: a:b\nsearch: {optimizer.lr: [1, 2]}",
    "model: a:b\ndata: a:b\nsearch: {optimizer.lr: {range: [1]}}",
    "model: a:b\ndata: a:b\nprotocol: quick",
    "model: a:b\ndata: a:b\nprotocol: {seeds: 100}",
    "model: a:b\ndata: a:b\nrules: {ignore: [{rule: a}]}",
    "model: a:b\ndata: a:b\nrules: {ignore: [{rule: a, reason: b, expires: soon}]}",
    "model: a:b\ndata: a:b\nenvironment: HOME",
)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(json_schema())
    return Draft202012Validator(json_schema())


def is_read(text: str) -> bool:
    try:
        parse_spec(text, folder=Path(), check_modules=False)
    except SpecError:
        return False
    return True


@pytest.mark.parametrize("text", REAL)
def test_what_can_be_read_is_valid(validator: Draft202012Validator, text: str) -> None:
    assert is_read(text)
    assert [error.message for error in validator.iter_errors(read_yaml(text, file="f").value)] == []


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_read_is_refused(validator: Draft202012Validator, text: str) -> None:
    assert not is_read(text)
    assert not validator.is_valid(read_yaml(text, file="f").value)


def test_every_key_is_described() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(TrainingSpec.model_fields)
    nameless = [key for key, value in schema["properties"].items() if not value.get("description")]
    for name, definition in schema["$defs"].items():
        nameless += [
            f"{name}.{key}" for key, value in definition.get("properties", {}).items() if not value.get("description")
        ]
    assert nameless == []


def test_asking_twice_gives_the_same_and_a_caller_may_change_it() -> None:
    first: dict[str, Any] = json_schema()
    first["properties"].clear()
    assert json_schema() == json_schema() != first
