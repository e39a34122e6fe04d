"""What does the log of a run made elsewhere say? CSV or JSON lines to a curve run, one row per epoch or step."""

import csv
import difflib
import json
import math
from collections.abc import Mapping
from pathlib import Path

from diagnoser.errors import UsageError
from diagnoser.evidence.steps import CurveRun
from diagnoser.protocol import curve_reading
from diagnoser.protocol.curve_reading import Curve
from diagnoser.protocol.smoothing import finite, moving_average, thin
from diagnoser.trials import Outcome

POINTS_KEPT = 400
MOST_BYTES = 100_000_000

NAMES: dict[str, tuple[str, ...]] = {
    "epoch": ("epoch", "epochs"),
    "step": ("step", "global_step", "iteration", "iter", "update", "batch"),
    "train_loss": ("train_loss", "loss", "training_loss", "train/loss", "loss/train"),
    "validation_loss": ("validation_loss", "val_loss", "valid_loss", "eval_loss", "test_loss", "val/loss", "loss/val"),
    "train_metric": ("train_metric", "train_accuracy", "train_acc", "accuracy", "acc", "train/accuracy", "train/acc"),
    "validation_metric": (
        "validation_metric", "val_accuracy", "val_acc", "validation_accuracy", "valid_acc", "eval_accuracy",
        "test_accuracy", "val/accuracy", "val/acc",
    ),
    "lr": ("lr", "learning_rate", "learning-rate"),
}  # fmt: skip
"""What common frameworks call the columns; compared without regard to case."""


def read_log(path: Path, *, columns: Mapping[str, str], higher_is_better: bool) -> CurveRun:
    """Read a log. Raises UsageError that names the file, the line and the column."""
    rows = _rows(path)
    found = _columns(path, tuple(dict.fromkeys(key for row in rows for key in row)), columns)
    if "train_loss" not in found and "validation_loss" not in found:
        there = ", ".join(dict.fromkeys(key for row in rows for key in row))
        raise UsageError(f"{path}: no column holds a loss; there are: {there}. Name one with --column train_loss=NAME")
    values = {meaning: _numbers(path, rows, name) for meaning, name in found.items()}
    return _run(values, higher_is_better=higher_is_better)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: larger than {MOST_BYTES // 1_000_000} MB; log one row an epoch")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    if text.lstrip().startswith("{"):
        rows = [_json_row(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    else:
        rows = [{k.strip(): v for k, v in row.items() if k and v} for row in csv.DictReader(text.splitlines())]
    if not rows:
        raise UsageError(f"{path}: holds no rows; expected a CSV with a header or one JSON object a line")
    return rows


def _json_row(path: Path, number: int, line: str) -> dict[str, str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{path}:{number}: is no JSON: {error}") from error
    if not isinstance(row, dict):
        raise UsageError(f"{path}:{number}: is no JSON object: {line[:60]}")
    return {str(key): str(value) for key, value in row.items() if isinstance(value, int | float | str)}


def _columns(path: Path, there: tuple[str, ...], asked: Mapping[str, str]) -> dict[str, str]:
    for meaning, name in asked.items():
        if meaning not in NAMES:
            raise UsageError(f"--column {meaning}={name}: {meaning} is none of {', '.join(NAMES)}")
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(there)}"
            raise UsageError(f"{path}: has no column {name}{hint}")
    by_lower = {name.lower(): name for name in reversed(there)}
    guessed = {
        meaning: by_lower[name] for meaning, names in NAMES.items() for name in reversed(names) if name in by_lower
    }
    return {**guessed, **asked}


def _numbers(path: Path, rows: list[dict[str, str]], column: str) -> tuple[float | None, ...]:
    found: list[float | None] = []
    for number, row in enumerate(rows, 2):
        text = row.get(column, "").strip()
        try:
            found.append(float(text) if text else None)
        except ValueError as error:
            raise UsageError(f"{path}:{number}: column {column}: {text!r} is no number") from error
    return tuple(found)


def _run(values: dict[str, tuple[float | None, ...]], *, higher_is_better: bool) -> CurveRun:
    """Rows with a validation figure are the epochs; where every row has one, the rows are epochs."""
    count = len(next(iter(values.values())))
    empty: tuple[float | None, ...] = (None,) * count
    losses = tuple(v for v in values.get("train_loss", ()) if v is not None)
    validated = values.get("validation_loss", values.get("validation_metric", empty))
    kept = [i for i in range(count) if validated[i] is not None] or list(range(count))
    epochs = values.get("epoch", values.get("step", empty))

    def at(meaning: str) -> tuple[float | None, ...]:
        return tuple(values.get(meaning, empty)[i] for i in kept)

    per_step = len(kept) < count
    curve = Curve(
        batch_losses=losses if per_step else (),
        initial_loss=losses[0] if losses else None,
        batches_per_epoch=count / len(kept) if per_step else None,
        epochs=tuple(float(n) if (n := epochs[i]) is not None else float(p + 1) for p, i in enumerate(kept)),
        train_loss=at("train_loss"),
        train_metric=at("train_metric"),
        validation_loss=at("validation_loss"),
        validation_metric=at("validation_metric"),
        higher_is_better=higher_is_better,
    )
    return CurveRun(
        seed=0,
        loop="user",
        outcome=Outcome.COMPLETED if len(finite(losses)) == len(losses) else Outcome.DIVERGED,
        stopped_by="length",
        updates=count,
        initial_loss=curve.initial_loss,
        batch_losses=thin(losses, at_most=POINTS_KEPT),
        stride=max(1, math.ceil(len(losses) / POINTS_KEPT)),
        smoothed=thin(moving_average(losses), at_most=POINTS_KEPT),
        epochs=curve.epochs,
        lrs=tuple(v if v is not None else math.nan for v in at("lr")),
        train_loss=curve.train_loss,
        train_metric=curve.train_metric,
        validation_loss=curve.validation_loss,
        validation_metric=curve.validation_metric,
        reading=curve_reading.read(curve),
    )
