"""Does a convolution take the picture's height for its channels?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.data.channels_last_input import check
from tests.helpers import make
from tests.helpers.judge import fired, silent

SIDEWAYS = make.data_profile(
    input_kind="image", input_shape=(28, 28, 3), channel_axis_last=True, channel_correlation_ratio=0.99
)


def conv(in_channels: int | None) -> ModelProfile:
    return make.model_profile(layers=(make.layer_profile("conv", type="Conv2d", in_channels=in_channels),))


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "a width that is not known makes it a hint": ((SIDEWAYS, conv(None)), Severity.INFO, Confidence.LOW, "colours"),
    "height is read as channels": ((SIDEWAYS, conv(28)), Severity.WARNING, Confidence.HIGH, "28 channels"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "a model that permutes inside": ((SIDEWAYS, conv(3)), "passed"),
    "the first axis is not spatial": (
        (make.data_profile(input_shape=(28, 28, 3), channel_axis_last=True, channel_correlation_ratio=0.3), conv(28)),
        "passed",
    ),
    "channels first": ((make.data_profile(input_shape=(3, 28, 28)), conv(3)), "passed"),
    "no convolution": ((SIDEWAYS, make.model_profile()), "not_applicable"),
    "an axis that was not compared": (
        (make.data_profile(input_shape=(28, 28, 3), channel_axis_last=True), conv(28)),
        "unjudged",
    ),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer
