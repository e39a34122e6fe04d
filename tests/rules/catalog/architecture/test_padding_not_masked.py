"""Do the model and the loss leave padding out?"""

from collections.abc import Callable

import pytest

from diagnoser.evidence.preflight import ModelProfile, PaddingProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.architecture.padding_not_masked import check
from tests.helpers import make
from tests.helpers.judge import all_fired, fired, silent
from tests.helpers.padded import Attentive, Reader, Tagger, loaders, padded_tensors, profile_of


def padded(**changes: object) -> ModelProfile:
    healthy = {
        "made_by": "batch", "side": "right", "token": 0, "declared": True, "rows": 512, "width": 60,
        "typical_length": 20.0, "share": 0.4, "share_by_length": 0.1, "output_change": 0.0, "largest_change": 1e-6,
        "counted_share": 0.0, "target_token": -100,
    }  # fmt: skip
    return make.model_profile(padding=PaddingProfile.model_validate(healthy | changes))


PATIENTS: dict[str, tuple[Callable[[], ModelProfile], Severity, Confidence, str]] = {
    "attention without a mask": (
        lambda: profile_of(loaders(), lambda: Attentive(masked=False)),
        Severity.WARNING,
        Confidence.MEDIUM,
        "another answer in another batch",
    ),
    "padding is a tag like any other": (
        lambda: profile_of(loaders(tag_padding=3), Tagger),
        Severity.WARNING,
        Confidence.HIGH,
        "of what the loss counts is padding",
    ),
    "the same, where nothing but a pattern says that it is padding": (
        lambda: profile_of(padded_tensors(tag_padding=3), lambda: Tagger(declared=False)),
        Severity.INFO,
        Confidence.LOW,
        "told by the token",
    ),
}
HEALTHY: dict[str, Callable[[], ModelProfile]] = {
    "attention with a mask": lambda: profile_of(loaders(), lambda: Attentive(masked=True)),
    "a mean over words": lambda: profile_of(loaders(whole=True), lambda: Reader(masked=True), whole=True),
    "reading from the left": lambda: profile_of(loaders(), Tagger),
    "reading from the left, padded beforehand": lambda: profile_of(padded_tensors(), Tagger),
}
MILD: dict[str, tuple[ModelProfile, str]] = {
    "no attention": (padded(output_change=0.9, largest_change=1.4), "another answer in another batch"),
    "the edge of a convolution": (padded(output_change=0.0, largest_change=0.4), "moves most"),
    "one length for all": (padded(made_by="data", output_change=0.5, largest_change=0.9), "another length"),
    "three per cent count": (padded(counted_share=0.03), "3%"),
}
SILENT: dict[str, tuple[ModelProfile, str]] = {
    "one length for all, and a convolution": (padded(made_by="data", output_change=0.0, largest_change=0.4), "passed"),
    "next to nothing counts": (padded(counted_share=0.008), "passed"),
    "no padding": (make.model_profile(), "not_applicable"),
    "neither could be asked": (padded(output_change=None, largest_change=None, counted_share=None), "unjudged"),
}


def given(model: ModelProfile) -> tuple[Record, ...]:
    return make.spec(), model


@pytest.mark.parametrize(("model", "severity", "confidence", "words"), PATIENTS.values(), ids=PATIENTS)
def test_fires(model: Callable[[], ModelProfile], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *given(model()))
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize("model", HEALTHY.values(), ids=HEALTHY)
def test_is_silent(model: Callable[[], ModelProfile]) -> None:
    assert silent(check, *given(model())) == "passed"


@pytest.mark.parametrize(("model", "words"), MILD.values(), ids=MILD)
def test_small_or_constant_effects_are_a_remark(model: ModelProfile, words: str) -> None:
    finding = fired(check, *given(model))
    assert finding.severity is Severity.INFO
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("model", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent_on(model: ModelProfile, answer: str) -> None:
    assert silent(check, *given(model)) == answer


def test_a_target_that_only_padding_has_is_ignored_by_a_patch() -> None:
    known = padded(counted_share=0.4, target_token=9)
    assert fired(check, make.spec(), known).fixes[0].patch == {"loss.args.ignore_index": 9}
    taken = padded(counted_share=0.4, target_token=9, target_is_real_too=True)
    assert not fired(check, make.spec(), taken).fixes[0].patch
    own = make.spec(loss={"factory": "project:loss"})
    assert not fired(check, own, known).fixes[0].patch


def test_a_mean_over_words_and_padding_is_a_remark() -> None:
    finding = fired(check, *given(profile_of(loaders(whole=True), lambda: Reader(masked=False), whole=True)))
    assert finding.severity is Severity.INFO
    assert "another answer in another batch" in finding.message


def test_model_and_loss_are_two_findings() -> None:
    both = padded(output_change=0.5, largest_change=0.9, counted_share=0.4)
    assert {finding.subject for finding in all_fired(check, *given(both))} == {"loss", "model"}
