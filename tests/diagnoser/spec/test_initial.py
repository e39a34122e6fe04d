from pathlib import Path

import pytest

from diagnoser.spec.fields import TrainingSpec
from diagnoser.spec.initial import initial_spec
from diagnoser.spec.reading import parse_spec
from diagnoser.spec.yaml_text import read_yaml

TYPICAL = """
import torch
from torch import nn
from torch.utils.data import DataLoader

class Block(nn.Module):
    def __init__(self): super().__init__()

class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.block = Block()

def load_data():
    return train, validation

def train_one_epoch(model, optimizer, batches, scheduler): ...
def evaluate(model, batches): ...

if __name__ == "__main__":
    loader = DataLoader(data, batch_size=128)
    optimizer = torch.optim.SGD(Net().parameters(), 0.05, momentum=0.9, nesterov=True)
    criterion = nn.CrossEntropyLoss()
"""


def written(folder: Path, **files: str) -> tuple[str, TrainingSpec]:
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    text = initial_spec(folder)
    return text, parse_spec(text, folder=folder, check_modules=bool(files))[0]


def test_a_typical_script_is_filled_in(tmp_path: Path) -> None:
    text, spec = written(tmp_path, train=TYPICAL)
    assert (spec.model.factory, spec.data.factory) == ("train:Net", "train:load_data")
    assert spec.loss is not None
    assert spec.loss.name == "cross_entropy"
    assert (spec.optimizer.name, spec.optimizer.lr, spec.optimizer.momentum) == ("sgd", 0.05, 0.9)
    assert (spec.loop, spec.evaluate) == ("train:train_one_epoch", "train:evaluate")
    assert "batch_size: 128" in text
    assert "train.py:9" in text


def test_a_part_of_a_model_is_not_taken_for_the_model(tmp_path: Path) -> None:
    text, _ = written(tmp_path, train=TYPICAL)
    assert "Block" not in text


def test_a_function_that_builds_the_model_is_preferred_to_its_class(tmp_path: Path) -> None:
    text, spec = written(
        tmp_path,
        net="from torch import nn\nclass Net(nn.Module): ...\ndef build_model(): return Net()\ndef get_data(): return 1, 2\n",
    )
    assert spec.model.factory == "net:build_model"
    assert "# Also found: net:Net (net.py:2)" in text


def test_a_training_step_takes_the_place_of_the_loss(tmp_path: Path) -> None:
    _, spec = written(
        tmp_path,
        net="import torch.nn as nn\nclass A(nn.Module): ...\ndef build_data(): return 1, 2\ndef noise_step(model, batch): ...\n",
    )
    assert (spec.step, spec.loss) == ("net:noise_step", None)


def test_packages_are_named_by_their_dots(tmp_path: Path) -> None:
    _, spec = written(
        tmp_path,
        pkg__net="from torch.nn import Module\nclass Net(Module): ...\n",
        pkg__data="def make_datasets(): return 1, 2\n",
    )
    assert (spec.model.factory, spec.data.factory) == ("pkg.net:Net", "pkg.data:make_datasets")


def test_a_model_that_needs_arguments_is_shown_with_them(tmp_path: Path) -> None:
    text, _ = written(
        tmp_path,
        net="from torch import nn\nclass Net(nn.Module):\n    def __init__(self, width, *, depth): ...\ndef build_data(): return 1, 2\n",
    )
    assert "# It needs arguments: model: {factory: net:Net, args: {width: ..., depth: ...}}" in text


def test_a_loop_with_other_arguments_is_mentioned_and_not_named(tmp_path: Path) -> None:
    text, spec = written(
        tmp_path,
        net="from torch import nn\nclass N(nn.Module): ...\ndef build_data(): return 1, 2\ndef train_epoch(loader, net, lr): ...\n",
    )
    assert spec.loop is None
    assert "# net:train_epoch (net.py:4) takes other arguments; wrap it to name it here." in text


@pytest.mark.parametrize("content", ["", "this is no Python (", "\x00", "x = " + "(" * 3000])
def test_where_nothing_is_found_the_file_says_what_to_write(tmp_path: Path, content: str) -> None:
    (tmp_path / "strange.py").write_text(content)
    text, spec = written(tmp_path)
    assert spec.model.factory == "project:build_model"
    assert text.count("Nothing like it was found") == 2


def test_a_folder_that_is_not_there_gives_the_template(tmp_path: Path) -> None:
    assert "model: project:build_model" in initial_spec(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["off", "1e-5", "a: b", "[x]", "# no", "ü", "{", "null"])
def test_any_name_of_a_folder_is_read_back(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    assert read_yaml(initial_spec(folder), file="f").value["name"] == name


def test_every_commented_key_is_one_that_a_spec_may_have(tmp_path: Path) -> None:
    text, _ = written(tmp_path)
    commented = [
        line[2:]
        for line in text.splitlines()
        if line.startswith("# ") and line[2:].split(":")[0] in TrainingSpec.model_fields
    ]
    assert len(commented) == 6
    for line in commented:
        parse_spec(f"model: a:b\ndata: a:c\n{line}\n", folder=tmp_path, check_modules=False)


def test_nothing_is_imported(tmp_path: Path) -> None:
    text, _ = written(tmp_path, train="raise SystemExit\n" + TYPICAL)
    assert "train:Net" in text
