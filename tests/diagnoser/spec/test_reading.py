import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from diagnoser.errors import SpecError, SpecProblem, UsageError
from diagnoser.spec.fields import Optimizer, Range, TrainingSpec
from diagnoser.spec.reading import LIVE_OBJECT, MAX_BYTES, from_mapping, line_of, parse_spec, read_spec

MINIMAL = "model: project:build_model\ndata: project:build_data\n"

CODE = """
import torch.nn as nn
from helpers import something

class Net(nn.Module): pass
def build_model(width=3): return Net()
def build_data(): return None, None
if True:
    my_loss = lambda output, target: 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project.py").write_text(CODE)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "net.py").write_text("class Net: pass\n")
    return tmp_path


def read(text: str, folder: Path) -> TrainingSpec:
    return parse_spec(text, folder=folder)[0]


def problems_of(text: str, folder: Path) -> tuple[SpecProblem, ...]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, folder=folder)
    return caught.value.problems


# --- what is accepted ------------------------------------------------------------------------------------------------


def test_three_lines_are_enough(folder: Path) -> None:
    spec = read(MINIMAL + "loss: cross_entropy\n", folder)
    assert spec.name == folder.name
    assert (spec.model.factory, spec.data.batch_size, spec.optimizer) == ("project:build_model", 32, Optimizer())
    assert spec.loss is not None
    assert spec.loss.name == "cross_entropy"


def test_every_key_of_the_documentation_is_read(folder: Path) -> None:
    text = """
name: everything
model: {factory: "project:build_model", args: {width: 64, ratio: 1e-5, mode: off}}
data: {factory: project:build_data, args: {root: /d}, batch_size: 64, shuffle: false, workers: 2, plain_args: {augment: false}, paths: [/d]}
loss: {factory: torch.nn:CrossEntropyLoss, args: {label_smoothing: 0.1}}
optimizer:
  name: SGD
  lr: 1e-2
  weight_decay: 0
  momentum: 0.9
  args: {nesterov: true}
  groups: [{match: "backbone.*", lr_scale: 0.1, frozen_epochs: 1}]
scheduler: {name: one_cycle, interval: step, args: {pct_start: 0.2}, warmup: 0.05}
steps: 1e4
early_stopping: {patience: 3, metric: loss, restore_best: false}
gradient_clip_norm: 1
accumulate_batches: 2
ema: {decay: 0.99, update_every: 2}
precision: bfloat16
device: cuda:1
seed: 7
task: multilabel
metric: mae
step: project:my_loss
loop: project:build_model
evaluate: project:build_model
search:
  optimizer.lr: {range: [1e-5, 1e-1], scale: log}
  model.args.width: {values: [32, 64]}
  data.batch_size: {range: [16, 128], scale: int}
protocol: {preset: thorough, seeds: 5}
budget: {minutes: 0.5}
rules: {ignore: [{rule: dropout-too-strong, reason: meant so, expires: 2027-01-31}]}
gate: {mode: all, fail_on: warning, min_confidence: low}
environment: [DATA_ROOT]
"""
    spec = read(text, folder)
    assert spec.model.args == {"width": 64, "ratio": 1e-5, "mode": "off"}
    assert (spec.optimizer.name, spec.optimizer.momentum, spec.optimizer.groups[0].lr_scale) == ("sgd", 0.9, 0.1)
    assert (spec.steps, type(spec.steps)) == (10_000, int)
    assert spec.metric is not None
    assert not spec.metric.higher_is_better
    assert spec.search["optimizer.lr"] == Range(range=(1e-5, 1e-1), scale="log")


@pytest.mark.parametrize(
    ("section", "key", "factory", "args"),
    [
        ("model: {class_path: pkg.net.Net, init_args: {width: 3}}", "model", "pkg.net:Net", {"width": 3}),
        ("model: {_target_: pkg.net.Net, width: 3, _partial_: true}", "model", "pkg.net:Net", {"width": 3}),
        ("model: {factory: pkg.net:Net, args: {width: 3}}", "model", "pkg.net:Net", {"width": 3}),
        ("model: {class_path: pkg.net.Net}", "model", "pkg.net:Net", {}),
        ("model: {_target_: pkg.net.Net.make}", "model", "pkg.net:Net.make", {}),
        ("loss: project:my_loss", "loss", "project:my_loss", {}),
        (
            "loss: {_target_: torch.nn.CrossEntropyLoss, label_smoothing: 0.1}",
            "loss",
            "torch.nn:CrossEntropyLoss",
            {"label_smoothing": 0.1},
        ),
        ("data: {_target_: project.build_data, batch_size: 8, root: x}", "data", "project:build_data", {"root": "x"}),
        ("metric: {factory: project:my_loss}", "metric", "project:my_loss", {}),
        ("optimizer: {name: project:my_loss}", "optimizer", "project:my_loss", {}),
    ],
)
def test_spellings_of_other_tools_are_the_same_spec(
    folder: Path, section: str, key: str, factory: str, args: dict[str, Any]
) -> None:
    text = "".join(line for line in MINIMAL.splitlines(keepends=True) if not line.startswith(f"{key}:")) + section
    found = getattr(read(text, folder), key)
    assert (found.factory, found.args) == (factory, args)


@pytest.mark.parametrize(
    "optimizer",
    [
        "{name: adamw, lr: 0.1, args: {betas: [0.9, 0.95]}}",
        "{name: AdamW, lr: 0.1, args: {betas: [0.9, 0.95]}}",
        "{factory: torch.optim:AdamW, lr: 0.1, args: {betas: [0.9, 0.95]}}",
        "{class_path: torch.optim.AdamW, init_args: {lr: 0.1, betas: [0.9, 0.95]}}",
        "{_target_: torch.optim.AdamW, lr: 0.1, betas: [0.9, 0.95]}",
        "{_target_: torch.optim.adamw.AdamW, lr: 0.1, betas: [0.9, 0.95]}",
    ],
)
def test_an_optimizer_of_torch_is_the_same_however_it_is_written(folder: Path, optimizer: str) -> None:
    found = read(f"{MINIMAL}optimizer: {optimizer}", folder).optimizer
    assert found == Optimizer(name="adamw", lr=0.1, args={"betas": [0.9, 0.95]})


def test_a_key_with_nothing_behind_it_is_as_good_as_not_written(folder: Path) -> None:
    assert read(MINIMAL + "scheduler:\nmetric: null\nepochs:\n", folder) == read(MINIMAL, folder)


def test_lines_are_kept_for_every_key_and_its_unified_name(folder: Path) -> None:
    text = "model:\n  class_path: pkg.net.Net\n  init_args:\n    width: 3\ndata: project:build_data\n"
    _, source = parse_spec(text, file="x.yaml", folder=folder)
    assert (source.file, source.text) == ("x.yaml", text)
    assert [
        line_of(source, key) for key in ("model.factory", "model.args.width", "data.batch_size", "optimizer.lr")
    ] == [2, 4, 5, None]


# --- what is wrong, where --------------------------------------------------------------------------------------------

WRONG = [
    # text behind the minimal spec (line 3 on), line, key, words of the message, words of the hint
    ("lr: 0.1", 3, "lr", "a spec has no such key", "did you mean `optimizer.lr`?"),
    ("learning_rate: 0.1", 3, "learning_rate", "no such key", "`optimizer.lr`"),
    ("batch_size: 3", 3, "batch_size", "no such key", "`data.batch_size`"),
    ("max_epochs: 3", 3, "max_epochs", "no such key", "`epochs`"),
    ("criterion: mse_loss", 3, "criterion", "no such key", "`loss`"),
    ("optimiser: adam", 3, "optimiser", "no such key", "`optimizer`"),
    ("gradient_clip: 1", 3, "gradient_clip", "no such key", "`gradient_clip_norm`"),
    ("optimizer: {lr: 0.1, weight_deacy: 0}", 3, "optimizer.weight_deacy", "`optimizer` has no such key", "`optimizer.weight_decay`"),
    ("optimizer: {betas: [0.9, 0.99]}", 3, "optimizer.betas", "no such key", "go under `optimizer.args`"),
    ("optimizer:\n  type: adam", 4, "optimizer.type", "no such key", "`optimizer.name`"),
    ("optimizer: {epochs: 4}", 3, "optimizer.epochs", "no such key", "`epochs` stands at the top level"),
    ("optimizer: admw", 3, "optimizer", 'in lower case, such as `adamw`, found "admw"', "did you mean `adamw`?"),
    ("optimizer: {lr: fast}", 3, "optimizer.lr", 'expected a number above 0, found the text "fast"', None),
    ("optimizer: {lr: '1e-3'}", 3, "optimizer.lr", "expected a number above 0", "write `1e-3`"),
    ("optimizer: {lr: -1}", 3, "optimizer.lr", "expected a number above 0, found -1", None),
    ("optimizer: {lr: .nan}", 3, "optimizer.lr", "expected a number above 0, found nan", None),
    ("optimizer: {lr: .inf}", 3, "optimizer.lr", "expected a number above 0, found inf", None),
    ("optimizer:\n  lr:", 4, "optimizer.lr", "expected a number above 0, found nothing", None),
    ("optimizer: {momentum: 1}", 3, "optimizer.momentum", "up to, but not including, 1, found 1", None),
    ("optimizer: [adam]", 3, "optimizer", "or a section such as `{name: adam, lr: 1e-3}`, found a list of 1", None),
    ("optimizer:\n  groups:\n    - {lr_scale: 2}", 5, "optimizer.groups.0.match", "this key is missing", None),
    ("optimizer: {factory: project:build_model, groups: [{match: a}]}", 3, "optimizer.groups", "no effect beside `factory`", "keep one"),
    ("optimizer: {factory: project:build_model, momentum: 0.9}", 3, "optimizer.momentum", "no effect beside `factory`", "keep one"),
    ("loss: cross_entorpy", 3, "loss", 'found "cross_entorpy"', "did you mean `cross_entropy`?"),
    ("loss: {name: CrossEntropyLoss}", 3, "loss.name", "found", "did you mean `cross_entropy`?"),
    ("loss: zzz", 3, "loss", "found", "a loss of your own is written `module:attr`"),
    ("loss: triplet_margin_loss", 3, "loss", "more than an output and a target", "write a `step`"),
    ("loss: {name: mse_loss, factory: project:my_loss}", 3, "loss.factory", "both say which one", "keep one"),
    ("loss: {args: {}}", 3, "loss", "expected a built-in name", "`{name: cross_entropy}`"),
    ("loss: {name: cross_entropy, label_smoothing: 0.1}", 3, "loss.label_smoothing", "no such key", "go under `loss.args`"),
    ("scheduler: cosin", 3, "scheduler", 'found "cosin"', "did you mean `cosine`?"),
    ("scheduler: LambdaLR", 3, "scheduler", "needs code of yours", "`one_cycle`"),
    ("scheduler: {name: step, step_size: 3}", 3, "scheduler.step_size", "no such key", "go under `scheduler.args`"),
    ("scheduler: {name: cosine, interval: batch}", 3, "scheduler.interval", "expected `epoch` or `step`", None),
    ("epochs: 3\nsteps: 4", 4, "steps", "both say how long to train, on lines 3 and 4", "keep one"),
    ("epochs: 0", 3, "epochs", "expected a whole number of at least 1, found 0", None),
    ("epochs: 2.5", 3, "epochs", "expected a whole number of at least 1, found 2.5", None),
    ("steps: 10_000", 3, "steps", 'found the text "10_000"', "write `10000`"),
    ("epochs: true", 3, "epochs", "expected a whole number of at least 1, found `true`", None),
    ("early_stopping: 5", 3, "early_stopping", "expected a section such as `{patience: 5}`, found 5", "write `{patience: 5}`"),
    ("early_stopping: {restore_best: off}", 3, "early_stopping.restore_best", 'expected `true` or `false`, found the text "off"', "`false`?"),
    ("ema: {update_every: 2}", 3, "ema.decay", "this key is missing; expected a number between 0 and 1", None),
    ("ema: {decay: 1}", 3, "ema.decay", "expected a number between 0 and 1, such as 0.999, found 1", None),
    ("precision: fp16", 3, "precision", "expected `float32`, `bfloat16` or `float16`", "`float16`"),
    ("device: gpu", 3, "device", "expected `auto`, `cpu`, `cuda` or `cuda:0`", "did you mean `cuda`?"),
    ("seed: -1", 3, "seed", "found -1", None),
    ("task: classifcation", 3, "task", "expected `classification`", "did you mean `classification`?"),
    ("metric: acuracy", 3, "metric", 'found "acuracy"', "did you mean `accuracy`?"),
    ("name: 12", 3, "name", "expected a text, found 12", 'write `"12"`'),
    ("step: training_step", 3, "step", 'expected `module:attr` such as `project:training_step`, found "training_step"', None),
    ("step: project.my_loss", 3, "step", "expected `module:attr`", "did you mean `project:my_loss`?"),
    ("loop: project:my_loss()", 3, "loop", "expected `module:attr`", "did you mean `project:my_loss`?"),
    ("loop: ./pkg/net.py:Net", 3, "loop", "expected `module:attr`", "did you mean `pkg.net:Net`?"),
    ("evaluate: projct:evaluate", 3, "evaluate", "there is no module `projct` in the folder of the spec, nor is one installed; the Python files there: pkg/, project.py", "did you mean `project:evaluate`?"),
    ("evaluate: pkg.nte:Net", 3, "evaluate", "there is no module `nte` in `pkg`; the Python files there: net.py", "did you mean `pkg.net:Net`?"),
    ("evaluate: project:my_los", 3, "evaluate", "`project.py` has no `my_los`", "did you mean `project:my_loss`?"),
    ("search: {lr: {range: [1e-5, 1e-1]}}", 3, "search.lr", "found `lr`", "did you mean `optimizer.lr`?"),
    ("search: {optimizer.lrr: {range: [1e-5, 1e-1]}}", 3, "search.optimizer.lrr", "expected a key of this spec", "did you mean `optimizer.lr`?"),
    ("search:\n  optimizer:\n    lr: {range: [1, 2]}", 4, "search.optimizer", "expected a key", "with a dot: `optimizer.lr`"),
    ("search: {seed: {values: [1, 2]}}", 3, "search.seed", "expected a key", "how things are measured"),
    ("search: {optimizer.lr: [0.1, 0.2]}", 3, "search.optimizer.lr", "found a list of 2", "`{values: [0.1, 0.2]}`"),
    ("search:\n  optimizer.lr:\n    range: [1, 0.1]", 5, "search.optimizer.lr.range", "the lower end first", "write `[0.1, 1]`"),
    ("search: {optimizer.lr: {range: [0, 1], scale: log}}", 3, "search.optimizer.lr.range", "above 0 on a log scale", "begin above 0"),
    ("search: {optimizer.momentum: {range: [0.5, 1], scale: one_minus_log}}", 3, "search.optimizer.momentum.range", "not including, 1", None),
    ("search: {optimizer.lr: {range: [1, 2], scale: logarithmic}}", 3, "search.optimizer.lr.scale", "expected `log`, `linear`", "`log`"),
    ("search: {data.batch_size: {range: [8.5, 64], scale: int}}", 3, "search.data.batch_size.range", "whole numbers", None),
    ("search: {data.batch_size: {range: [8.5, 64]}}", 3, "search.data.batch_size.range", "`data.batch_size`: expected a whole number of at least 1, found 8.5", "use `scale: int`"),
    ("search: {optimizer.lr: {values: [0.1, -1]}}", 3, "search.optimizer.lr.values", "`optimizer.lr`: expected a number above 0, found -1", None),
    ("search: {optimizer.lr: {values: []}}", 3, "search.optimizer.lr.values", "expected a list", None),
    ("search: {optimizer.lr: {range: [1, 2], values: [1]}}", 3, "search.optimizer.lr", "either `range` or `values`", None),
    ("protocol: quick", 3, "protocol", "expected a section such as `{preset: quick}`", None),
    ("protocol: {preset: qick}", 3, "protocol.preset", "expected `quick`, `standard` or `thorough`", "did you mean `quick`?"),
    ("protocol: {seeds: 100}", 3, "protocol.seeds", "from 1 to 20, found 100", None),
    ("budget: 10", 3, "budget", "expected a section such as `{minutes: 10}`, found 10", "write `{minutes: 10}`"),
    ("rules: {ignore: [dead-units]}", 3, "rules.ignore.0", "expected a section", "write `{rule: dead-units, reason: why it is accepted}`"),
    ("rules:\n  ignore:\n    - {rule: dead-units}", 5, "rules.ignore.0.reason", "this key is missing", None),
    ("rules: {ignore: [{rule: a, reason: ' '}]}", 3, "rules.ignore.0.reason", "expected a text that says why", None),
    ("rules: {ignore: [{rule: a, reason: b, expires: tomorrow}]}", 3, "rules.ignore.0.expires", "expected a date such as 2027-01-31", None),
    ("environment: {A: b}", 3, "environment", "stand in no spec", "write `[A]`"),
    ("environment: [A=b]", 3, "environment.0", "expected the name of an environment variable", "write `A`"),
    ("environment: HOME", 3, "environment", "expected a list of names", "write `[HOME]`"),
    ("gate: {fail_on: warnings}", 3, "gate.fail_on", "expected `error`, `warning` or `never`", "did you mean `warning`?"),
    ("data.batch_size: 3", 3, "data.batch_size", "a spec has no such key", None),
    ("epochs: 3\nepochs: 4", 4, "epochs", "stands twice, on lines 3 and 4", "keep one"),
    ("3: x", 3, "3", "a key is a word", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "key", "message", "hint"), WRONG, ids=[case[0] for case in WRONG])
def test_a_wrong_line_is_told_with_its_place_and_what_was_meant(
    folder: Path, text: str, line: int, key: str, message: str, hint: str | None
) -> None:
    problems = [problem for problem in problems_of(MINIMAL + text, folder) if problem.key == key]
    assert len(problems) == 1
    (problem,) = problems
    assert (problem.file, problem.line) == ("diagnose.yaml", line)
    assert message in problem.message
    if hint is not None:
        assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("text", "key", "line", "message", "hint"),
    [
        ("data: project:build_data", "model", None, "this key is missing; expected `module:attr`", "called afresh"),
        ("model:\ndata: project:build_data", "model", 1, "expected `module:attr`, the path of a function in your code such as `project:build_model`", None),
        ("model: {project: Net}\ndata: project:build_data", "model", 1, "found a section with `project`", "write `model: project:Net`, without the blank"),
        ("model: {args: {}}\ndata: project:build_data", "model.factory", 1, "this key is missing", None),
        ("model: build_model\ndata: project:build_data", "model", 1, 'found "build_model"', None),
        ("model: project:Nett\ndata: project:build_data", "model", 1, "`project.py` has no `Nett`", "`project:Net`"),
        ("model: {factory: pkg.net:Net, class_path: pkg.net.Net}\ndata: project:build_data", "model.class_path", 1, "say the same thing", "keep one"),
        ("model: {class_path: pkg.nett.Net}\ndata: project:build_data", "model.class_path", 1, "no module `nett`", "`pkg.net:Net`"),
        ("model: project:Net\ndata: {factory: project:build_data, shuffle: 1}", "data.shuffle", 2, "expected `true` or `false`, found 1", "`true`?"),
        ("model: project:Net\ndata: {factory: project:build_data, paths: /d}", "data.paths", 2, "expected a list of folders", "write `[/d]`"),
    ],
)  # fmt: skip
def test_a_wrong_model_or_data_is_told_with_what_to_write(
    folder: Path, text: str, key: str, line: int | None, message: str, hint: str | None
) -> None:
    (problem,) = [problem for problem in problems_of(text, folder) if problem.key == key]
    assert problem.line == line
    assert message in problem.message
    if hint is not None:
        assert hint in (problem.hint or "")


def test_every_problem_is_told_at_once_and_in_the_order_of_the_lines(folder: Path) -> None:
    text = "model: project:Net\ndata: project:build_data\nlr: 1\nloss: cross_entorpy\nepochs: x\nseed: -1\n"
    assert [(problem.line, problem.key) for problem in problems_of(text, folder)] == [
        (3, "lr"),
        (4, "loss"),
        (5, "epochs"),
        (6, "seed"),
    ]


def test_one_mistake_is_told_once(folder: Path) -> None:
    for text, _, key, _, _ in WRONG:
        keys = [problem.key for problem in problems_of(MINIMAL + text, folder)]
        assert [each for each in keys if each != key] == [], text


def test_a_problem_reads_as_one_line(folder: Path) -> None:
    (problem,) = problems_of(MINIMAL + 'loss: "a\\nb"', folder)
    assert str(problem).startswith("diagnose.yaml:3: loss: expected a function of torch.nn.functional")
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file says nothing"),
        ("# only a comment\n", "the file says nothing"),
        ("hello", 'expected lines of `key: value`, found the text "hello"'),
        ("- a\n- b\n", "expected lines of `key: value`, found a list of 2"),
        ("42", "found 42"),
    ],
)
def test_a_text_without_keys_is_told_how_a_spec_begins(folder: Path, text: str, message: str) -> None:
    (problem,) = problems_of(text, folder)
    assert message in problem.message
    assert "Three lines are enough" in (problem.hint or "")


def test_names_that_a_file_may_make_while_it_runs_are_not_doubted(folder: Path) -> None:
    (folder / "project.py").write_text("from helpers import *\n")
    read(MINIMAL, folder)
    (folder / "project.py").write_text("globals()['build_model'] = 1\n")
    read(MINIMAL, folder)
    (folder / "project.py").write_text("this is no Python")
    read(MINIMAL, folder)


def test_nothing_of_the_user_is_imported_or_run(folder: Path) -> None:
    (folder / "project.py").write_text("raise SystemExit(1)\ndef build_model(): ...\ndef build_data(): ...\n")
    read(MINIMAL, folder)


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_with_its_folder(folder: Path) -> None:
    path = folder / "diagnose.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    spec, source = read_spec(path)
    assert spec.model.factory == "project:build_model"
    assert (source.file, source.folder) == (str(path), str(folder.resolve()))


def test_a_missing_file_is_told_with_what_is_there(folder: Path) -> None:
    (folder / "diagnose.yaml").write_text(MINIMAL)
    with pytest.raises(UsageError, match=r"did you mean `diagnose\.yaml`"):
        read_spec(folder / "diagnos.yaml")
    with pytest.raises(UsageError, match="there is no folder"):
        read_spec(folder / "nowhere" / "diagnose.yaml")


def test_a_folder_is_told_with_the_spec_inside(folder: Path) -> None:
    with pytest.raises(UsageError, match="diagnoser init"):
        read_spec(folder)
    (folder / "diagnose.yaml").write_text(MINIMAL)
    with pytest.raises(UsageError, match=r"is a folder, and a spec is a file; did you mean `.*diagnose.yaml`"):
        read_spec(folder)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"\x7fELF\0\0\xff\xfe" * 40, None, "this is a binary file"),
        ("model: x\nname: café\n".encode("latin-1"), 2, "not UTF-8: byte 0xe9 on this line"),
        (b"a: 1\n" * (MAX_BYTES // 4), None, "bytes; a spec has a few hundred"),
    ],
)
def test_what_is_no_text_is_told_so(folder: Path, content: bytes, line: int | None, message: str) -> None:
    path = folder / "diagnose.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.line == line


def test_reading_loads_no_torch(folder: Path) -> None:
    (folder / "diagnose.yaml").write_text(
        MINIMAL + "loss: {factory: torch.nn:CrossEntropyLoss}\noptimizer: {factory: torch.optim:SGD}\n"
    )
    program = (
        "import sys; from pathlib import Path; import diagnoser.spec.reading, diagnoser.spec.patching;"
        "assert 'ruamel.yaml' not in sys.modules;"
        "diagnoser.spec.reading.read_spec(Path('diagnose.yaml')); assert not {'torch', 'numpy', 'project'} & set(sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# --- in Python -------------------------------------------------------------------------------------------------------


def test_a_mapping_of_python_is_read_like_a_file(folder: Path) -> None:
    mapping = {
        "model": "project:Net",
        "data": {"factory": "project:build_data", "paths": (folder,)},
        "optimizer": {"args": {"betas": (0.9, 0.99)}},
    }
    spec, source = from_mapping(mapping, folder=folder)
    assert (spec.data.paths, spec.optimizer.args) == ((str(folder),), {"betas": [0.9, 0.99]})
    assert (source.file, source.text) == ("<call>", "")


def test_objects_of_the_caller_need_no_module(folder: Path) -> None:
    spec, _ = from_mapping({"model": LIVE_OBJECT, "data": LIVE_OBJECT, "loss": LIVE_OBJECT}, folder=folder)
    assert spec.model.factory == LIVE_OBJECT
    spec, _ = from_mapping({"model": "cell:Net", "data": LIVE_OBJECT}, folder=folder, live=("model",))
    assert spec.model.factory == "cell:Net"


def test_a_wrong_object_in_a_mapping_is_told_by_its_key(folder: Path) -> None:
    with pytest.raises(SpecError) as caught:
        from_mapping(
            {"model": "project:Net", "data": "project:build_data", "optimizer": {"lr": object()}}, folder=folder
        )
    assert "<call>: optimizer.lr: expected a number above 0, found an object of class object" in str(caught.value)


# --- any text --------------------------------------------------------------------------------------------------------

ANY_TEXT = st.text(
    alphabet=st.sampled_from("abmodel:data{}[],&*!|>'\"%@`-#?~ \n\t\\01e.-é\x00\x85\ud83d😀"), max_size=60
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["project:Net", "adam", "1e-3", "log"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *TrainingSpec.model_fields,
                    "factory",
                    "name",
                    "args",
                    "range",
                    "values",
                    "optimizer.lr",
                    "_target_",
                    "class_path",
                    "init_args",
                    "lr",
                    "groups",
                    "ignore",
                    "rule",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
HERE = Path(__file__).parent


def assert_spec_or_error(read: Callable[[], object]) -> None:
    problems: tuple[SpecProblem, ...] | None = None
    try:
        read()
    except SpecError as error:
        problems = error.problems
    assert problems is None or problems
    assert all(str(problem).isprintable() for problem in problems or ())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_TEXT)
@example('model: "\\ud800"\ndata: a:b')
@example("? - a\n: b")
@example("a: !<tag:x> b")
@example("%YAML 1.1\n---\na: off")
@example("!!int x")
@example("a: !!int x\n? [b]\n: c")
def test_any_text_is_a_spec_or_a_spec_error(text: str) -> None:
    assert_spec_or_error(lambda: parse_spec(text, folder=HERE))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(TrainingSpec.model_fields)), VALUES, max_size=8))
def test_any_mapping_is_a_spec_or_a_spec_error(mapping: dict[str, Any]) -> None:
    whole = {"model": LIVE_OBJECT, "data": LIVE_OBJECT, **mapping}
    assert_spec_or_error(lambda: from_mapping(whole, folder=HERE))
