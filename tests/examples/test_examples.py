"""The examples work with the data that their README asks for; here with a little of it, made up in the same form."""

import csv
import gzip
import json
import random
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from diagnoser.evidence.reading import read_diagnosis
from diagnoser.findings import Verdict
from diagnoser.spec.fields import SpecSource, TrainingSpec
from diagnoser.spec.reading import read_spec
from tests.helpers.command_line import diagnoser

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = tuple(sorted(folder.name for folder in EXAMPLES.iterdir() if folder.is_dir()))


def a_text(file: Path) -> None:
    """Sentences with a grammar, so that there is something to learn."""
    draw = random.Random(0)
    nouns, verbs = ("king", "queen", "fool", "duke", "ghost"), ("loves", "fears", "follows", "mocks")
    lines = (f"The {draw.choice(nouns)} {draw.choice(verbs)} the {draw.choice(nouns)}.\n" for _ in range(700))
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        stream.writelines(lines)


def a_table(file: Path) -> None:
    """Districts whose house value follows from income and place; a few rows lack a value, as in the original."""
    draw = np.random.default_rng(0)
    columns = (
        "longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population", "households",
        "median_income", "median_house_value", "ocean_proximity",
    )  # fmt: skip
    with gzip.open(file, "wt", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in range(600):
            households = draw.lognormal(6, 0.7)
            income, latitude = draw.gamma(4, 1), draw.uniform(32, 42)
            value = 40_000 * income - 8_000 * (latitude - 32) + draw.normal(0, 20_000) + 100_000
            bedrooms = "" if row % 100 == 99 else households * draw.uniform(0.9, 1.3)
            writer.writerow([
                draw.uniform(-124, -114), latitude, draw.integers(1, 52), households * draw.uniform(3, 7), bedrooms,
                households * draw.uniform(2, 4), households, income, value, "INLAND",
            ])  # fmt: skip


def some_pictures(file: Path) -> None:
    """Blobs of 28 x 28 pixels, in the IDX format."""
    draw = np.random.default_rng(0)
    rows, size = 600, 28
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    centres = draw.uniform(8, 20, (rows, 2, 1, 1))
    pictures = 255 * np.exp(-((x - centres[:, 0]) ** 2 + (y - centres[:, 1]) ** 2) / 20)
    header = struct.pack(">IIII", 0x00000803, rows, size, size)
    file.write_bytes(gzip.compress(header + pictures.astype(np.uint8).tobytes()))


MAKE: dict[str, Callable[[Path], None]] = {
    "char_transformer": a_text,
    "diffusion": some_pictures,
    "housing": a_table,
}


@pytest.fixture(params=NAMES)
def example(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of an example, with data at the path that its spec names; the current folder, as it is in a child."""
    folder = tmp_path / request.param
    shutil.copytree(EXAMPLES / request.param, folder, ignore=shutil.ignore_patterns("data", "__pycache__", "diagnosis"))
    spec, _ = read_spec(folder / "diagnose.yaml")
    file = folder / str(spec.data.args["path"])
    file.parent.mkdir()
    MAKE[request.param](file)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield folder
    sys.modules.pop(request.param, None)  # the next test has a copy of its own


def read(folder: Path) -> tuple[TrainingSpec, SpecSource]:
    return read_spec(folder / "diagnose.yaml")


def test_every_example_is_in_the_readme_of_the_examples_and_tested_here() -> None:
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert set(NAMES) == set(MAKE)
    assert [name for name in NAMES if f"| `{name}` |" not in table] == []


def test_the_spec_is_in_order_and_says_where_its_data_are(example: Path) -> None:
    spec, _ = read(example)
    assert spec.name == example.name.replace("_", "-")
    assert [path for path in spec.data.paths if not (example / path).is_dir()] == []


def test_one_batch_goes_through_the_model_and_its_loss_is_finite(example: Path) -> None:
    from diagnoser.training.workload import load

    spec, source = read(example)
    workload = load(spec, folder=Path(source.folder))
    model = workload.build_model(seed=0)
    loss = workload.loss(model, workload.train.head(spec.data.batch_size))
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
    assert torch.isfinite(loss)
    assert workload.task == spec.task
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_rows_of_training_and_validation_differ(example: Path) -> None:
    from diagnoser.training.workload import load

    spec, source = read(example)
    workload = load(spec, folder=Path(source.folder))
    assert workload.train.rows > workload.validation.rows > 0


@pytest.mark.slow
def test_a_diagnosis_comes_back_within_its_budget_and_calls_nothing_broken(example: Path) -> None:
    out = example / "diagnosis"
    done = diagnoser(
        "run", "diagnose.yaml", "--out", out, "--preset", "quick", "--budget", "60s", cwd=example, seconds=240
    )
    assert done.returncode == 0, done.stderr
    assert {file.name for file in out.iterdir()} == {"evidence.json", "diagnosis.json", "report.html"}
    diagnosis = read_diagnosis((out / "diagnosis.json").read_text(encoding="utf-8"))
    errors = [finding.message for finding in diagnosis.findings if finding.severity == "error"]
    assert diagnosis.verdict is not Verdict.BROKEN, json.dumps(errors, indent=1)
