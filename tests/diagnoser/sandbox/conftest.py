"""A user's project of one file whose model does, on demand, what user code should not do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from diagnoser.spec.fields import Data, Factory, Loss, TrainingSpec

PROJECT = """
import ctypes
import os
import sys
import threading
import time

import torch

import rules  # the user's own, beside this file

DONE = set()


def misbehave(kind):
    if kind in DONE:
        return
    DONE.add(kind)
    if kind == "raise":
        raise ValueError("my own words")
    if kind == "sys.exit":
        sys.exit("enough")
    if kind == "os._exit":
        os._exit(3)
    if kind == "segfault":
        ctypes.string_at(0)
    if kind == "loop":
        with open("pid", "w") as file:
            file.write(str(os.getpid()))
        while True:
            pass
    if kind == "fork":
        os.fork()
    if kind == "print":
        print("the first words")
        for _ in range(50):
            print("x" * 1_000_000)
        print("the last words")
    if kind == "close":
        sys.stdout.close()
        os.closerange(1, 3)
    if kind == "kill":
        os.kill(os.getpid(), 9)
    if kind == "kill once" and not os.path.exists("killed"):
        open("killed", "w").close()
        os.kill(os.getpid(), 9)
    if kind == "memory":
        kept = []
        while True:
            kept.append(torch.ones(5_000_000))
            time.sleep(0.01)
    if kind == "late import":
        import late
    if kind == "wait":
        while not os.path.exists("go"):
            time.sleep(0.01)
    if kind == "no bell":
        os.remove(os.path.join(out(), "bell"))
    if kind == "ring":
        threading.Thread(target=ring, daemon=True).start()
    if kind == "forge":
        for number in range(2, 9):
            for count in range(4):
                with open(os.path.join(out(), f"{number}.{count}.json"), "w") as file:
                    file.write('{"index": 9}')
        time.sleep(60)  # its own result would take the place of the forged one


def out():
    return sys.argv[sys.argv.index("--folder") + 1]


def ring():
    bell = os.open(os.path.join(out(), "bell"), os.O_WRONLY)
    while True:
        os.write(bell, b"!")


class Net(torch.nn.Module):
    def __init__(self, mischief):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)
        self.mischief = mischief

    def forward(self, x):
        misbehave(self.mischief)
        return self.linear(x)


def build_model(mischief="none", guilty=None):
    # of every trial, or of the one whose seed it is
    return Net(mischief if guilty in (None, torch.initial_seed()) else "none")


def build_data():
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(rules.SEED))
    return (x, x.sum(1, keepdim=True)), (x, x.sum(1, keepdim=True))
"""


def write_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "project.py").write_text(PROJECT, encoding="utf-8")
    (folder / "rules.py").write_text("SEED = 0\n", encoding="utf-8")
    (folder / "late.py").write_text("", encoding="utf-8")
    (folder / "notes.py").write_text("# nobody imports this\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def make_project() -> Callable[[Path], Path]:
    return write_project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project")


@pytest.fixture(scope="session")
def spec() -> TrainingSpec:
    return TrainingSpec(
        name="mischief",
        model=Factory(factory="project:build_model"),
        data=Data(factory="project:build_data"),
        loss=Loss(name="mse_loss"),
        device="cpu",
    )
