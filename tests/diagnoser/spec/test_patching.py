from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnoser.errors import SpecError
from diagnoser.spec.fields import (
    Data,
    EarlyStopping,
    Factory,
    Loss,
    Optimizer,
    ParameterGroup,
    Scheduler,
    SpecSource,
    TrainingSpec,
)
from diagnoser.spec.patching import apply_changes, diff, patch_text, value_at
from diagnoser.spec.reading import parse_spec

SPEC = TrainingSpec(
    name="x",
    model=Factory(factory="project:Net", args={"width": 32, "block": {"depth": 2}, "nothing": None}),
    data=Data(factory="project:build_data"),
    optimizer=Optimizer(
        name="sgd", lr=0.1, momentum=0.9, args={"nesterov": True}, groups=(ParameterGroup(match="a.*"),)
    ),
    scheduler=Scheduler(name="cosine"),
    epochs=5,
)


def parsed(text: str) -> TrainingSpec:
    return parse_spec(text, folder=Path(), check_modules=False)[0]


# --- apply_changes ---------------------------------------------------------------------------------------------------


def test_no_changes_give_the_spec_itself() -> None:
    assert apply_changes(SPEC, {}) is SPEC


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer.lr", 0.01),
        ("data.batch_size", 64),
        ("model.args.width", 64),
        ("model.args.block.depth", 3),
        ("model.args.new", [1, 2]),
        ("optimizer.args.betas", [0.9, 0.95]),
        ("optimizer.groups.0.lr_scale", 0.5),
        ("gradient_clip_norm", 1.0),
        ("scheduler.warmup", 0.1),
        ("early_stopping.patience", 3),
        ("protocol.preset", "quick"),
        ("seed", 4),
    ],
)
def test_a_dotted_key_is_set_and_read_back(key: str, value: Any) -> None:
    changed = apply_changes(SPEC, {key: value})
    assert value_at(changed, key) == value
    before, after = SPEC.model_dump(), changed.model_dump()
    section = key.partition(".")[0]
    assert {name for name in before if before[name] != after[name]} == {section}


def test_the_spec_that_was_given_stays_as_it_was() -> None:
    before = SPEC.model_dump_json()
    apply_changes(SPEC, {"model.args.block.depth": 9, "optimizer.args.nesterov": None, "optimizer.groups.0.match": "b"})
    assert SPEC.model_dump_json() == before


def test_a_section_that_is_not_there_is_made() -> None:
    assert apply_changes(SPEC, {"early_stopping": {"patience": 2}}).early_stopping == EarlyStopping(patience=2)
    assert apply_changes(SPEC, {"loss.name": "mse_loss"}).loss == Loss(name="mse_loss")
    assert apply_changes(SPEC, {"loss": "mse_loss"}).loss == Loss(name="mse_loss")


def test_none_removes_a_section_and_brings_back_a_default() -> None:
    changed = apply_changes(
        SPEC, {"scheduler": None, "optimizer.lr": None, "optimizer.args.nesterov": None, "epochs": None}
    )
    assert (changed.scheduler, changed.optimizer.lr, changed.optimizer.args, changed.epochs) == (None, 1e-3, {}, None)


def test_epochs_and_steps_replace_each_other() -> None:
    by_steps = apply_changes(SPEC, {"steps": 100})
    assert (by_steps.epochs, by_steps.steps) == (None, 100)
    assert apply_changes(by_steps, {"epochs": 3}).steps is None


def test_another_optimizer_does_not_inherit_the_arguments_of_the_one_before() -> None:
    assert apply_changes(SPEC, {"optimizer.name": "adam"}).optimizer.args == {}
    assert apply_changes(SPEC, {"optimizer.name": "sgd"}).optimizer.args == {"nesterov": True}
    assert apply_changes(SPEC, {"optimizer.name": "adam", "optimizer.args.eps": 1e-6}).optimizer.args["eps"] == 1e-6


def test_a_built_in_name_replaces_a_factory() -> None:
    own = apply_changes(SPEC, {"loss": {"factory": "project:mine", "args": {"a": 1}}})
    assert apply_changes(own, {"loss.name": "mse_loss"}).loss == Loss(name="mse_loss")


def test_none_inside_arguments_that_was_there_stays() -> None:
    assert "nothing" in apply_changes(SPEC, {"seed": 1}).model.args


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"optimizer.lr": -1}, "optimizer.lr"),
        ({"optimizer.lr": "fast"}, "optimizer.lr"),
        ({"optimizer.speed": 1}, "optimizer.speed"),
        ({"nonsense": 1}, "nonsense"),
        ({"model": None}, "model"),
        ({"epochs.more": 1}, "epochs.more"),
        ({"loss": "cross_entorpy"}, "loss.name"),
        ({"optimizer.factory": "project:make", "optimizer.momentum": 0.5}, "optimizer.momentum"),
        ({"optimizer.groups.7.match": "x"}, "optimizer.groups.7.match"),
    ],
)
def test_a_change_that_makes_no_spec_is_told_by_its_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(SpecError) as caught:
        apply_changes(SPEC, changes)
    assert [problem.key for problem in caught.value.problems] == [key]


def test_a_value_that_nobody_gave_is_none_and_a_key_that_no_spec_has_is_an_error() -> None:
    assert value_at(SPEC, "ema.decay") is None
    assert value_at(SPEC, "model.args.height") is None
    assert value_at(SPEC, "data.paths") == []
    with pytest.raises(KeyError):
        value_at(SPEC, "optimizer.speed")


# --- patch_text ------------------------------------------------------------------------------------------------------

FLOW = """\
# my spec
model: project:build_model        # aligned
data:  project:build_data
loss:  project:mine
optimizer: {name: sgd, lr: 0.1, args: {nesterov: true}}   # the optimizer
epochs: 5

# the end
"""

BLOCK = """\
model:
  class_path: pkg.net.Net
  init_args:
    width: 3  # narrow
data:
  _target_: pkg.data.make
  root: "x"
  batch_size: 3
optimizer:
  class_path: torch.optim.SGD
  init_args:
    lr: 1e-1
    momentum: 0.9

# slowly
scheduler:
  name: cosine
  args:
    T_max: 3
steps: 100
"""

ANCHORS = """\
model: {factory: a:b, args: &args {width: 3}}
data: {factory: a:c, args: *args}
optimizer: {<<: {lr: 0.2}, name: adam}
"""


def lines_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("changes", "gone", "new"),
    [
        ({"optimizer.lr": 0.03}, "optimizer: {name: sgd, lr: 0.1, args: {nesterov: true}}   # the optimizer", "optimizer: {name: sgd, lr: 0.03, args: {nesterov: true}}   # the optimizer"),
        ({"optimizer.name": "adam"}, "optimizer: {name: sgd, lr: 0.1, args: {nesterov: true}}   # the optimizer", "optimizer: {name: adam, lr: 0.1}   # the optimizer"),
        ({"optimizer.weight_decay": 1e-5}, "optimizer: {name: sgd, lr: 0.1, args: {nesterov: true}}   # the optimizer", "optimizer: {name: sgd, lr: 0.1, args: {nesterov: true}, weight_decay: 1e-5}   # the optimizer"),
        ({"data.batch_size": 64}, "data:  project:build_data", "data:  {factory: project:build_data, batch_size: 64}"),
        ({"model.args.width": 3}, "model: project:build_model        # aligned", "model: {factory: project:build_model, args: {width: 3}}        # aligned"),
        ({"loss.name": "mse_loss"}, "loss:  project:mine", "loss:  mse_loss"),
        ({"steps": 100}, "epochs: 5", "steps: 100"),
        ({"epochs": 50}, "epochs: 5", "epochs: 50"),
        ({"scheduler": {"name": "cosine"}}, None, "scheduler: {name: cosine}"),
        ({"gradient_clip_norm": 1.0}, None, "gradient_clip_norm: 1.0"),
        ({"optimizer": None}, "optimizer: {name: sgd, lr: 0.1, args: {nesterov: true}}   # the optimizer", None),
        ({"task": "binary"}, None, "task: binary"),
        ({"name": "a: b # c"}, None, 'name: "a: b # c"'),
    ],
)  # fmt: skip
def test_a_change_touches_its_own_line_and_no_other(changes: dict[str, Any], gone: str | None, new: str | None) -> None:
    assert lines_changed(FLOW, patch_text(FLOW, changes)) == ([gone] if gone else [], [new] if new else [])


@pytest.mark.parametrize(
    ("changes", "gone", "new"),
    [
        ({"optimizer.lr": 0.03}, ["    lr: 1e-1"], ["    lr: 0.03"]),
        ({"model.args.width": 4}, ["    width: 3  # narrow"], ["    width: 4  # narrow"]),
        ({"model.args.depth": 4}, [], ["    depth: 4"]),
        ({"data.batch_size": 64}, ["  batch_size: 3"], ["  batch_size: 64"]),
        ({"data.args.root": "y"}, ['  root: "x"'], ["  root: y"]),
        ({"optimizer.momentum": None}, ["    momentum: 0.9"], []),
        ({"scheduler.args.T_max": None}, ["  args:", "    T_max: 3"], []),
        ({"scheduler": None}, ["scheduler:", "  name: cosine", "  args:", "    T_max: 3"], []),
        ({"scheduler.warmup": 0.05}, [], ["  warmup: 0.05"]),
        ({"epochs": 3}, ["steps: 100"], ["epochs: 3"]),
    ],
)
def test_a_text_in_blocks_and_other_spellings_is_patched_in_its_own_style(
    changes: dict[str, Any], gone: list[str], new: list[str]
) -> None:
    assert lines_changed(BLOCK, patch_text(BLOCK, changes)) == (gone, new)


def test_anchors_are_resolved_where_they_would_change_something_else() -> None:
    changed = patch_text(ANCHORS, {"data.args.width": 4})
    assert (parsed(changed).model.args, parsed(changed).data.args) == ({"width": 3}, {"width": 4})


def test_line_ends_of_windows_stay() -> None:
    changed = patch_text(FLOW.replace("\n", "\r\n"), {"scheduler": {"name": "cosine"}, "optimizer.lr": 0.5})
    assert "\n" not in changed.replace("\r\n", "")


CHANGES: st.SearchStrategy[dict[str, Any]] = st.lists(
    st.sampled_from(
        [
            ("optimizer.lr", 0.5), ("optimizer.name", "adam"), ("optimizer.name", "lbfgs"), ("optimizer.args.nesterov", None), ("optimizer.args.eps", 1e-7),
            ("optimizer.momentum", None), ("optimizer.momentum", 0.5), ("optimizer.factory", "a:opt"), ("optimizer.weight_decay", 0.0), ("data.batch_size", 7), ("data.args.root", "z"),
            ("data.args.more", {"a": [1, 2.5, None, "x y"]}), ("data.shuffle", False), ("model.args.width", 9), ("model.args.width", None), ("loss", "mse_loss"), ("loss", None),
            ("loss.name", "l1_loss"), ("loss.factory", "a:l"), ("scheduler", None), ("scheduler.name", "linear"), ("scheduler.args.T_max", 8), ("scheduler.args.T_max", None),
            ("epochs", 4), ("steps", 9), ("epochs", None), ("gradient_clip_norm", 1.0), ("gradient_clip_norm", None), ("early_stopping", {"patience": 3}), ("metric", "mae"),
            ("protocol.preset", "quick"), ("ema", {"decay": 0.9}), ("seed", 5), ("accumulate_batches", 2), ("task", "binary"), ("name", "off"),
        ]
    ),
    min_size=1,
    unique_by=lambda change: change[0],
    max_size=4,
).map(dict)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [
            FLOW,
            BLOCK,
            ANCHORS,
            FLOW.rstrip("\n"),
            FLOW.replace("\n", "\r\n"),
            "model: a:b\ndata: a:c\nscheduler:\nloss: null",
        ]
    ),
    CHANGES,
)
def test_the_patched_text_reads_as_the_changed_spec(text: str, changes: dict[str, Any]) -> None:
    try:
        wanted = apply_changes(parsed(text), changes)
    except SpecError:
        return
    assert parsed(patch_text(text, changes)).model_dump_json() == wanted.model_dump_json()


# --- diff ------------------------------------------------------------------------------------------------------------


def test_a_diff_shows_the_users_own_lines() -> None:
    _, source = parse_spec(FLOW, file="some/where/diagnose.yaml", folder=Path(), check_modules=False)
    assert diff(source, {"epochs": 20}).splitlines() == [
        "--- diagnose.yaml",
        "+++ diagnose.yaml",
        "@@ -5,3 +5,3 @@",
        " optimizer: {name: sgd, lr: 0.1, args: {nesterov: true}}   # the optimizer",
        "-epochs: 5",
        "+epochs: 20",
        " ",
    ]


def test_without_a_text_the_keys_are_listed() -> None:
    changes: dict[str, Any] = {
        "optimizer.lr": 1e-5,
        "scheduler": None,
        "loss": {"name": "focal_loss", "args": {"gamma": 2.0}},
    }
    assert diff(SpecSource(), changes).splitlines() == [
        "+ optimizer.lr: 1e-5",
        "- scheduler",
        "+ loss: {name: focal_loss, args: {gamma: 2.0}}",
    ]
