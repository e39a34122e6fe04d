"""A person hands over whatever their framework wrote; its epochs are found, or they read what is missing."""

import csv
import json
import math
from pathlib import Path

import pytest

from diagnoser.errors import UsageError
from diagnoser.protocol.log_curves import POINTS_KEPT, LoggedRun
from diagnoser.protocol.log_reading import read_log

EPOCHS, BATCHES = 20, 10


def loss(step: float) -> float:
    return 2.3 * math.exp(-step / 60) + 0.1


def written(path: Path, rows: list[dict[str, float]]) -> Path:
    if path.suffix == ".csv":
        names = list(dict.fromkeys(key for row in rows for key in row))
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def read(path: Path, **columns: str) -> LoggedRun:
    return read_log(path, columns_asked=columns, higher_is_better=None)


def lightning(*, first: int = 0) -> list[dict[str, float]]:
    """Batches, validation and the epoch's training loss in rows of their own, as Lightning's CSVLogger writes."""
    rows: list[dict[str, float]] = []
    for epoch in range(EPOCHS):
        steps = range(epoch * BATCHES, (epoch + 1) * BATCHES)
        rows += [{"epoch": epoch + first, "step": step, "train_loss_step": loss(step)} for step in steps]
        rows.append({"epoch": epoch + first, "step": steps[-1], "val_loss": loss(steps[-1]) + 0.2, "val_acc": 0.5})
        rows.append({"epoch": epoch + first, "step": steps[-1], "train_loss_epoch": loss(steps[5])})
    return rows


def wandb() -> list[dict[str, float]]:
    """Validation between the batches, epochs as fractions."""
    rows: list[dict[str, float]] = []
    for epoch in range(EPOCHS):
        steps = range(epoch * BATCHES, (epoch + 1) * BATCHES)
        rows += [{"_step": step, "train/loss": loss(step), "epoch": step / BATCHES} for step in steps]
        rows.append({"_step": steps[-1], "val/loss": loss(steps[-1]) + 0.2, "val/accuracy": 0.5, "epoch": epoch + 0.95})
    return rows


def keras(*, first: int = 0) -> list[dict[str, float]]:
    return [
        {"epoch": e + first, "loss": loss(10 * e), "accuracy": 0.6, "val_loss": loss(10 * e) + 0.2, "val_accuracy": 0.5}
        for e in range(EPOCHS)
    ]


@pytest.mark.parametrize("rows", [lightning(), lightning(first=100), wandb(), keras(), keras(first=7)])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_every_epoch_has_its_training_and_its_validation_figures(
    tmp_path: Path, rows: list[dict[str, float]], suffix: str
) -> None:
    log = read(written(tmp_path / f"log{suffix}", rows))
    assert len(log.run.epochs) == EPOCHS
    assert log.run.epochs == tuple(sorted(log.run.epochs))
    assert None not in log.run.train_loss
    assert None not in log.run.validation_loss
    assert set(log.run.validation_metric) == {0.5}
    assert (log.metric, log.higher_is_better) == ("accuracy", True)
    assert log.run.reading is not None
    assert "good_fit" in log.run.reading.classes


def test_the_batches_of_a_log_are_its_training_curve(tmp_path: Path) -> None:
    log = read(written(tmp_path / "log.csv", lightning()))
    assert log.run.updates == EPOCHS * BATCHES
    assert log.run.batch_losses == pytest.approx([loss(step) for step in range(EPOCHS * BATCHES)])
    assert log.updates_per_epoch == BATCHES


def test_the_rows_of_a_trainers_state_are_found(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps({"best_metric": None, "log_history": keras()}, indent=1), encoding="utf-8")
    assert len(read(path).run.epochs) == EPOCHS


def test_tables_with_semicolons_and_decimal_commas_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("Epoch;Train Loss;Val Loss\n1;2,3;2,4\n2;1,5;1,9\n", encoding="utf-8")
    log = read(path)
    assert (log.run.train_loss, log.run.validation_loss) == ((2.3, 1.5), (2.4, 1.9))


def test_tens_of_thousands_of_batches_give_a_small_record(tmp_path: Path) -> None:
    rows = [{"step": float(step), "loss": loss(step / 300)} for step in range(30_000)]
    log = read(written(tmp_path / "log.csv", rows))
    assert log.run.updates == 30_000
    assert len(log.run.model_dump_json()) < 50_000


def test_tens_of_thousands_of_epochs_give_a_small_record(tmp_path: Path) -> None:
    rows = [{"epoch": float(epoch), "loss": 2.0, "val_loss": 2.1} for epoch in range(30_000)]
    log = read(written(tmp_path / "log.csv", rows))
    assert len(log.run.epochs) <= POINTS_KEPT


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_loss_that_became_nan_is_read_as_a_divergence(tmp_path: Path, suffix: str) -> None:
    rows = [{"epoch": float(e), "train_loss": 2.3 if e < 5 else math.nan} for e in range(10)]
    log = read(written(tmp_path / f"log{suffix}", rows))
    assert log.run.reading is not None
    assert log.run.reading.diverged_at == 5
    assert "divergence" in log.run.reading.classes


def test_one_row_is_too_short_to_be_read_and_no_failure(tmp_path: Path) -> None:
    assert read(written(tmp_path / "log.csv", keras()[:1])).run.reading is None


@pytest.mark.parametrize(("column", "metric", "up"), [("val_mae", "mae", False), ("valid_f1", "f1", True)])
def test_a_metrics_name_tells_its_direction(tmp_path: Path, column: str, metric: str, up: bool) -> None:
    rows = [{"epoch": float(e), "loss": 1.0, column: 0.5} for e in range(5)]
    log = read(written(tmp_path / "log.csv", rows))
    assert (log.metric, log.higher_is_better) == (metric, up)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no rows"),
        ("epoch,loss\n", "holds no rows"),
        ("epoch,score\n1,2\n", "no column holds a loss; there are: epoch, score"),
        ("epoch,loss\n1,2\n2,high\n", "log:3: column loss: 'high' is no number"),
        ('{"loss": 1}\n{"loss": \n', "log:2: is no JSON"),
        ("[1, 2]", "log:1: is no JSON object"),
    ],
)
def test_a_log_that_cannot_be_read_is_told_in_one_line_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "log").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as told:
        read(tmp_path / "log")
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_column_of_another_name_is_asked_for_and_a_misspelt_one_suggested(tmp_path: Path) -> None:
    path = written(tmp_path / "log.csv", [{"n": 1.0, "nll": 2.0}, {"n": 2.0, "nll": 1.0}])
    assert read(path, train_loss="nll").run.train_loss == (2.0, 1.0)
    with pytest.raises(UsageError, match="did you mean nll"):
        read(path, train_loss="nl")
    with pytest.raises(UsageError, match="nothing is none of"):
        read(path, nothing="nll")
