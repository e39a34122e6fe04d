"""Whatever bytes a child writes are understood or refused with a reason; nothing else happens to the supervisor."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnoser.messages import ANSWER, PART, Done, Part
from diagnoser.sandbox.forged import ForgedError, understand
from diagnoser.trials import Outcome, TrialResult

HONEST = Part(index=0, result=TrialResult(outcome=Outcome.COMPLETED, losses=(1.0, float("nan")), seconds=0.5))
AS_WRITTEN: dict[str, Any] = json.loads(HONEST.model_dump_json())


def result(**changes: object) -> bytes:
    return json.dumps({**AS_WRITTEN, "result": {**AS_WRITTEN["result"], **changes}}).encode()


def test_an_honest_result_is_understood_not_a_number_and_all() -> None:
    assert understand(result(), PART).model_dump_json() == HONEST.model_dump_json()
    assert understand(Done().model_dump_json().encode(), ANSWER) == Done()


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"", "validation error"),
        (b"\xff\xfe", "validation error"),
        (b"[" * 1_000_000, "validation error"),
        (result(updates=10**30), "a whole number beyond"),
        (result(confusion=[[0, -(10**18)]]), "a whole number beyond"),
        (result(updates=0).replace(b'"updates": 0', b'"updates": ' + b"9" * 5000), "validation error"),
        (result(seconds=float("nan")), "it took nan seconds"),
        (result(seconds=-1.0), "it took -1.0 seconds"),
        (result(more=1), "validation error"),
    ],
    ids=["nothing", "no text", "depth", "huge", "huge inside", "5000 digits", "no time", "negative time", "unknown"],
)
def test_what_no_run_can_have_is_refused_with_a_reason(content: bytes, because: str) -> None:
    with pytest.raises(ForgedError, match=because):
        understand(content, PART)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(sorted(AS_WRITTEN["result"])), anything)
def test_any_value_in_any_place_is_understood_or_refused(place: str, value: object) -> None:
    try:
        understood = understand(result(**{place: value}), PART)
    except ForgedError:
        return
    assert understood.model_dump_json()


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ForgedError):
        understand(content, PART)
