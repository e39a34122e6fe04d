"""Does BatchNorm stand where it can help?"""

import pytest
from torch import nn

from diagnoser.evidence.preflight import LayerProfile, ModelProfile
from diagnoser.findings import Confidence, Severity
from diagnoser.records import Record
from diagnoser.training.probes import model as probe_of_model
from diagnoser.trials import Probe, ProbeKind, Transform
from rules.catalog.normalisation.batch_norm_misplaced import check
from tests.helpers import make
from tests.helpers.judge import fired, silent
from tests.helpers.small_workload import CLASSES, FEATURES, workload


def norm(path: str = "net.1", **changes: object) -> LayerProfile:
    """A BatchNorm behind a linear layer, in batches of 32 rows."""
    made = {"type": "BatchNorm1d", "parameters": 128, "eps": 1e-5, "momentum": 0.1, "values_per_channel": 32}
    return make.layer_profile(path, **(made | changes))


def model(*layers: LayerProfile) -> ModelProfile:
    return make.model_profile(layers=(*make.layers()[:1], *layers, *make.layers()[1:]))


RELU = make.layers()[1]
LATE = make.model_profile(layers=(*make.layers()[:2], norm("net.n"), *make.layers()[2:]))
TRIED = make.treatment(rule="batch-norm-misplaced", transforms=(Transform.MOVE_NORM,), before=(0.6, 0.62, 0.61))
MOVED = make.treatments(TRIED)
IN_VAIN = make.treatments(make.altered(TRIED, {"after": (0.6, 0.61, 0.6)}))
FIRES: dict[str, tuple[tuple[Record, ...], Severity, Confidence, str]] = {
    "before the output": ((model(norm(hidden=False)),), Severity.INFO, Confidence.LOW, "normalises the outputs"),
    "before the output, and better without": (
        (model(norm(hidden=False)), MOVED),
        Severity.WARNING,
        Confidence.HIGH,
        "Tried",
    ),
    "behind an activation": ((LATE,), Severity.INFO, Confidence.LOW, "`net.n`"),
    "behind an activation, and better before it": ((LATE, MOVED), Severity.WARNING, Confidence.HIGH, "Tried"),
    "a useless bias": (
        (model(make.layer_profile("net.a", bias_feeds_norm=True), norm()),),
        Severity.INFO,
        Confidence.HIGH,
        "`net.a`",
    ),
}
SILENT: dict[str, tuple[tuple[Record, ...], str]] = {
    "the usual order": ((model(norm()),), "passed"),
    "the usual order is not better": ((LATE, IN_VAIN), "passed"),
    "a block that begins with BatchNorm": (
        (make.model_profile(layers=(make.layers()[0], norm("net.a"), RELU, norm("net.b"), *make.layers()[2:])),),
        "passed",
    ),
    "no BatchNorm": ((make.model_profile(),), "not_applicable"),
}


@pytest.mark.parametrize(("records", "severity", "confidence", "words"), FIRES.values(), ids=FIRES)
def test_fires(records: tuple[Record, ...], severity: Severity, confidence: Confidence, words: str) -> None:
    finding = fired(check, *records)
    assert (finding.severity, finding.confidence) == (severity, confidence)
    assert words in f"{finding.title} {finding.message}"


@pytest.mark.parametrize(("records", "answer"), SILENT.values(), ids=SILENT)
def test_is_silent(records: tuple[Record, ...], answer: str) -> None:
    assert silent(check, *records) == answer


def test_the_usual_order_is_proposed_as_something_to_try() -> None:
    for given in (LATE, model(norm(hidden=False))):
        assert fired(check, given).fixes[0].transforms == (Transform.MOVE_NORM,)


@pytest.mark.parametrize("affine", [True, False])
def test_it_is_seen_in_a_real_model(affine: bool) -> None:
    def ends_in_it() -> nn.Module:
        last = nn.BatchNorm1d(CLASSES, affine=affine)
        return nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, CLASSES, bias=False), last)

    def right() -> nn.Module:
        first = nn.Linear(FEATURES, 8, bias=False)
        return nn.Sequential(first, nn.BatchNorm1d(8, affine=affine), nn.ReLU(), nn.Linear(8, CLASSES))

    measured, healthy = (
        probe_of_model.measure(workload(model=model), Probe(probe=ProbeKind.MODEL)) for model in (ends_in_it, right)
    )
    assert fired(check, measured).subject == "3"
    assert silent(check, healthy) == "passed"
