"""Do the first layers stand still while the last ones move?"""

import pytest

from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.trials import Transform
from rules.catalog.numerical.gradients_vanish import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def runs(ratio: float, gradient: float, *, loss: float = 2.3) -> Curves:
    """Three runs whose first layer moves by this ratio and has this gradient, at a constant loss."""
    first = make.layer_trace("net.0", update_ratio=(ratio,) * 4, gradient_norm=(gradient,) * 4)
    run = {"layers": (first, make.layer_trace("net.4")), "smoothed": (loss,) * 160}
    return make.curves(runs=tuple(make.curve_run(seed=seed, **run) for seed in range(3)))


STILL = runs(1e-9, 1e-9)
FROZEN = make.model_profile(layers=(make.layer_profile("net.0", frozen_parameters=4160), *make.layers()[1:]))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "the first layer stands still": ((STILL,), Severity.WARNING, Confidence.MEDIUM, "`net.0`"),
    "with sigmoids": (
        (STILL, make.model_profile(layers=(make.layer_profile("net.0", activation="sigmoid"), *make.layers()[1:]))),
        Severity.WARNING,
        Confidence.MEDIUM,
        "`net.0`",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "all move": ((make.curves(), make.model_profile()), "passed"),
    "a converged model": ((runs(1e-9, 1e-9, loss=0.1),), "passed"),
    "Adam makes up for a small gradient": ((runs(1e-3, 1e-9),), "passed"),
    "a tiny lr moves no layer": ((runs(1e-9, 0.2),), "passed"),
    "a frozen layer": ((STILL, FROZEN), "unjudged"),
    "not recorded": ((make.curves(runs=(make.curve_run(layers=()),)),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_hidden_sigmoids_are_the_first_thing_to_replace() -> None:
    finding = fired(check, *FIRES["with sigmoids"][0])
    assert finding.fixes[0].transforms == (Transform.RELU_ACTIVATIONS,)


def test_normalisation_is_tried_where_there_is_none() -> None:
    plain = fired(check, *FIRES["with sigmoids"][0])
    assert (Transform.INSERT_NORM,) in [fix.transforms for fix in plain.fixes]
    layers = (*make.layers(), make.layer_profile("norm", type="LayerNorm"))
    normed = fired(check, STILL, make.model_profile(layers=layers))
    assert (Transform.INSERT_NORM,) not in [fix.transforms for fix in normed.fixes]
