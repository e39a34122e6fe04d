"""Is most of what the model computes padding?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile, PaddingProfile
from diagnoser.findings import Confidence, Severity
from rules.catalog.performance.excessive_padding import check
from tests.helpers import make
from tests.helpers.judge import fired, silent
from tests.helpers.padded import Tagger, loaders, padded_tensors, profile_of


def padded(share: float, by_length: float, *, rows: int = 512) -> ModelProfile:
    return make.model_profile(
        padding=PaddingProfile(
            made_by="batch", side="right", token=0, declared=True, rows=rows, width=60, typical_length=20.0,
            share=share, share_by_length=by_length,
        )
    )  # fmt: skip


def short_texts_of_one_width() -> ModelProfile:
    """A real model on real rows: two to six words in rows of 14."""
    return profile_of(padded_tensors(shortest=2, longest=6), Tagger)


def test_fires() -> None:
    finding = fired(check, short_texts_of_one_width())
    assert (finding.severity, finding.confidence) == (Severity.INFO, Confidence.HIGH)
    assert "times fewer positions" in finding.message
    assert "padded to as many as 14" in finding.message
    assert "batch" in (finding.fixes[0].advice or "")


def test_is_silent() -> None:
    assert silent(check, profile_of(loaders(), Tagger)) == "passed"


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (padded(0.45, 0.05), "passed"),
        (padded(0.6, 0.55), "passed"),  # as good as it gets
        (padded(0.6, 0.1, rows=10), "unjudged"),
        (make.model_profile(), "not_applicable"),
        (make.model_profile(unanswered=("padding: ValueError: rows of another kind",)), "unjudged"),
    ],
    ids=["less than half", "batches by length are no better", "ten rows", "no padding", "could not be told"],
)
def test_is_silent_on(model: ModelProfile, answer: str) -> None:
    assert silent(check, model) == answer


def test_the_finding_says_what_batches_by_length_would_save() -> None:
    assert "3.0 times fewer positions" in fired(check, padded(0.7, 0.1)).message
