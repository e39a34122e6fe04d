"""What does the log of a run made elsewhere say? CSV or JSON (lines, a list, a Trainer's state) to a curve run."""

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path

from diagnoser.errors import UsageError
from diagnoser.protocol import log_curves
from diagnoser.protocol.log_columns import DIRECTIONS, columns
from diagnoser.protocol.log_curves import LoggedRun

MOST_BYTES = 100_000_000
LIST_KEYS = ("log_history", "history", "logs", "metrics")  # where a JSON object keeps its rows; the first: transformers
DELIMITERS = ",;\t"
DECIMAL_COMMA = re.compile(r"^\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*$")  # 2,3 in a table with semicolons

Row = dict[str, str]


def read_log(path: Path, *, columns_asked: Mapping[str, str], higher_is_better: bool | None) -> LoggedRun:
    """Read a log; `higher_is_better` None: as the metric's name says.

    Raises UsageError that names the file, the line and the column.
    """
    numbered = _rows(path)
    rows = [row for _, row in numbered]
    there = tuple(dict.fromkeys(key for row in rows for key in row))
    found, metric = columns(path, there, columns_asked)
    values = {meaning: _numbers(path, numbered, name) for meaning, name in found.items()}
    up = DIRECTIONS.get(metric, True) if higher_is_better is None else higher_is_better
    return log_curves.run_of(values, metric=metric, higher_is_better=up)


def _rows(path: Path) -> list[tuple[int, Row]]:
    """Rows with their line in the file, as well as it is known."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: larger than {MOST_BYTES // 1_000_000} MB; log one row an epoch")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is no UTF-8 text; expected a CSV with a header or one JSON object a line") from None
    start = text.lstrip()[:1]
    rows = _json_rows(path, text) if start in ("{", "[") else _csv_rows(path, text)
    if not rows:
        raise UsageError(f"{path}: holds no rows; expected a CSV with a header or one JSON object a line")
    return rows


def _csv_rows(path: Path, text: str) -> list[tuple[int, Row]]:
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=header.count)  # the first of those that are equal
    reader = csv.DictReader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    rows = []
    try:
        for row in reader:
            kept = {key.strip(): value for key, value in row.items() if key and value}
            if delimiter == ";":
                kept = {k: v.replace(",", ".") if DECIMAL_COMMA.match(v) else v for k, v in kept.items()}
            if kept:
                rows.append((reader.line_num, kept))
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: is no CSV: {error}") from None
    return rows


def _json_rows(path: Path, text: str) -> list[tuple[int, Row]]:
    whole = _whole(text)
    if whole is not None:
        return [(number, _row(path, number, entry)) for number, entry in enumerate(whole, 1)]
    lines = enumerate(text.splitlines(), 1)
    return [(number, _row(path, number, _parsed(path, number, line))) for number, line in lines if line.strip()]


def _whole(text: str) -> list[object] | None:
    """The rows of a file that is one JSON value; None when it is one per line."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if isinstance(value, list):
        return value
    return next((value[key] for key in LIST_KEYS if isinstance(value.get(key), list)), None)


def _parsed(path: Path, number: int, line: str) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise UsageError(f"{path}:{number}: is no JSON: {error}") from None


def _row(path: Path, number: int, value: object) -> Row:
    if not isinstance(value, dict):
        raise UsageError(f"{path}:{number}: is no JSON object: {str(value)[:60]}")
    return {str(key): str(entry) for key, entry in value.items() if isinstance(entry, int | float | str)}


def _numbers(path: Path, rows: list[tuple[int, Row]], column: str) -> tuple[float | None, ...]:
    found: list[float | None] = []
    for number, row in rows:
        text = row.get(column, "").strip()
        try:
            found.append(float(text) if text else None)
        except ValueError:
            raise UsageError(f"{path}:{number}: column {column}: {text!r} is no number") from None
    return tuple(found)
