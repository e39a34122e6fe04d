"""Can a file of ours be read, also by an older program, and what is said about one that cannot?"""

import json
import math
from typing import Any

import pytest

from diagnoser.errors import UsageError
from diagnoser.evidence.reading import read_diagnosis, read_evidence
from rules.engine import judge
from tests.helpers import make

WITH_NAN = make.evidence(initial_loss=make.initial_loss(observed=(math.nan, math.inf, 2.3)))


def as_dict(text: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(text)
    return data


def test_what_was_written_is_read_back_with_its_nan_and_infinity() -> None:
    text = WITH_NAN.model_dump_json()
    assert read_evidence(text).model_dump_json() == text
    diagnosis = judge(WITH_NAN).model_dump_json()
    assert read_diagnosis(diagnosis).model_dump_json() == diagnosis


def test_a_diagnosis_holds_its_evidence_and_can_be_judged_again() -> None:
    assert read_evidence(judge(WITH_NAN).model_dump_json()).model_dump_json() == WITH_NAN.model_dump_json()


def test_fields_of_a_newer_minor_version_are_dropped_at_every_depth() -> None:
    text = WITH_NAN.model_dump_json()
    data = as_dict(text)
    data["schema_version"] = "1.99"
    data["new"] = {"deep": 1}
    data["spec"]["new"] = 1
    data["spec"]["optimizer"]["new"] = [1]
    data["steps"]["initial_loss"]["new"] = 1
    data["steps"]["initial_loss"]["value"]["new"] = 1
    data["steps"]["curves"]["value"]["runs"][1]["reading"]["new"] = 1
    read = read_evidence(json.dumps(data))
    assert as_dict(read.model_dump_json()) | {"schema_version": "1.0"} == as_dict(text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": "2.0"}, "this program reads 1.x"),
        ({"schema_version": "first"}, "it should be like"),
        ({"new": 1}, "new: Extra inputs"),
        ({"run": None}, "this is no evidence of schema_version 1.0: run"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_in_one_line(change: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        read_evidence(json.dumps(as_dict(WITH_NAN.model_dump_json()) | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "said"), [("{", "not JSON"), ("[]", "no file of ours"), ("{}", "no schema_version")])
def test_what_is_no_file_of_ours_is_told_apart(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_diagnosis(text)
