"""Does the gradient grow a thousandfold, over time or from layer to layer?"""

import pytest

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.evidence.steps import Curves
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from rules.catalog.numerical.gradients_explode import check
from tests.helpers import make
from tests.helpers.judge import fired, silent


def runs(factor: float, *, rises: bool = True) -> Curves:
    """Three runs whose gradient norm is so many times larger in the second half, with the loss up or down."""
    run = make.curve_run()
    half = len(run.gradient_norms) // 2
    norms = (*run.gradient_norms[:half], *(norm * factor for norm in run.gradient_norms[half:]))
    losses = (*run.batch_losses[:half], *(50.0 if rises else loss for loss in run.batch_losses[half:]))
    return make.curves(
        runs=tuple(make.curve_run(seed=seed, gradient_norms=norms, batch_losses=losses) for seed in range(3))
    )


def model(first: float) -> ModelProfile:
    layers = make.layers()
    return make.model_profile(layers=(make.altered(layers[0], {"gradient_norm": first}), *layers[1:]))


def every(updates: int, factor: float) -> Curves:
    """Three runs with a norm of every so many updates; at update 400 gradient and loss are up, and nowhere else."""
    losses = tuple(50.0 if update == 400 else 2.0 for update in range(640))
    norms = tuple(factor if update == 400 else 1.0 for update in range(0, 640, updates))
    given = {"batch_losses": losses, "stride": 1, "gradient_norms": norms, "gradient_norm_every": updates}
    return make.curves(runs=tuple(make.curve_run(seed=seed, **given) for seed in range(3)))


FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "over time": ((make.spec(), runs(1e5)), Severity.WARNING, Confidence.MEDIUM, "while the loss rose"),
    "beyond all bounds": ((make.spec(), runs(float("inf"))), Severity.WARNING, Confidence.MEDIUM, "beyond all bounds"),
    "of every tenth update": ((make.spec(), every(10, 1e5)), Severity.WARNING, Confidence.MEDIUM, "By update 400 "),
    "from layer to layer": ((make.spec(), model(1e4)), Severity.WARNING, Confidence.MEDIUM, "`net.0`"),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "steady": ((make.spec(), make.model_profile(), make.curves()), "passed"),
    "a healthy deep net that starts tiny": ((make.spec(), runs(167)), "passed"),
    "it grows while the loss falls": ((make.spec(), runs(1e5, rises=False)), "passed"),
    "steady, of every tenth update": ((make.spec(), every(10, 5.0)), "passed"),
    "not measured": ((make.spec(),), "unjudged"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_the_clip_is_a_norm_of_the_healthy_part() -> None:
    clip = fired(check, make.spec(), runs(1e5)).fixes[0].patch["gradient_clip_norm"]
    assert isinstance(clip, float)
    assert 0.5 < clip < 2.0
