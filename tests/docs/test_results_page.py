"""The fields and exit codes of `docs/results.md` are those of the files and the commands."""

import re

import pytest

from diagnoser import errors
from diagnoser.cli import app, gating
from diagnoser.evidence.evidence import SCHEMA_VERSION, Environment, Evidence, ExecutionPlan, Run
from diagnoser.evidence.outcome import Measured, NotMeasured
from diagnoser.evidence.steps import Steps
from diagnoser.findings import (
    Diagnosis,
    Finding,
    Fix,
    IgnoredRule,
    Location,
    NotApplicableRule,
    PassedRule,
    UnjudgedRule,
)
from diagnoser.records import Record
from rules import gate
from tests.helpers import pages

PAGE = pages.ROOT / "docs" / "results.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = [cells for _, cells in pages.table_rows(PAGE, columns=2)]
CODES = {int(code) for codes, _ in ROWS if codes[0].isdigit() for code in codes.split(", ")}


def row(*names: str) -> str:
    """What the page says of a field, in the table in which it is explained."""
    return next(words for field, words in ROWS if set(names) <= set(re.findall(r"`(\w+)`", field)))


def explained() -> set[str]:
    return {name for field, _ in ROWS for name in re.findall(r"`(\w+)`", field)}


@pytest.mark.parametrize("record", [Evidence, Diagnosis, Finding])
def test_every_field_of_the_files_is_explained(record: type[Record]) -> None:
    assert set(record.model_fields) - explained() == set()


@pytest.mark.parametrize(
    ("field", "record", "left_out"),
    [
        ("run", Run, set()),
        ("environment", Environment, set()),
        ("steps", Steps, set()),
        ("location", Location, set()),
        ("fixes", Fix, set()),
        ("passed", PassedRule, set()),
        ("unjudged", UnjudgedRule, set()),
        ("not_applicable", NotApplicableRule, set()),
        ("ignored", IgnoredRule, set()),
    ],
)
def test_what_a_field_holds_is_listed(field: str, record: type[Record], left_out: set[str]) -> None:
    said = set(re.findall(r"`(\w+)`", row(field)))
    assert set(record.model_fields) - said == left_out


@pytest.mark.parametrize("record", [ExecutionPlan, Measured, NotMeasured])
def test_the_smaller_records_are_in_the_text(record: type[Record]) -> None:
    hidden = {"stacked"}  # false in every file so far
    assert [name for name in record.model_fields if name not in TEXT and name not in hidden] == []


def test_the_schema_version_is_the_present_one() -> None:
    assert f"`schema_version` is `{SCHEMA_VERSION}`" in TEXT


def test_every_exit_code_is_explained() -> None:
    kinds = (errors.SpecError, errors.UsageError, errors.UserCodeError, errors.EngineError)
    program = {kind.exit_code for kind in kinds} | {
        gate.PASSED,
        gate.FAILED,
        gate.USER_CODE_FAILED,
        gating.INCONCLUSIVE,
    }
    assert program | {app.INTERRUPTED, app.TERMINATED} == CODES
