"""Which finding is to be fixed first?"""

from diagnoser.findings import Confidence, Finding, Fix, FixState, Severity
from rules.primary import primary


def found(name: str, **changes: object) -> Finding:
    return Finding.model_validate(
        {
            "id": name, "rule": name, "category": "loss", "severity": Severity.ERROR, "confidence": Confidence.HIGH,
            "title": "", "why": "", "message": "", "observed": "", "expected": "", "evidence": (), "fingerprint": "",
            "docs": "",
        }
        | changes
    )  # fmt: skip


def test_nothing_is_primary_where_there_are_only_hints() -> None:
    assert primary((found("a", severity="info"),)) is None
    assert primary(()) is None


def test_the_graver_one_comes_first() -> None:
    assert primary((found("a", severity="warning"), found("b", confidence="low"))) == "b"


def test_then_the_surer_one() -> None:
    assert primary((found("a", confidence="medium"), found("b"))) == "b"


def _cured(low: float, high: float) -> tuple[Fix, ...]:
    return (Fix(title="", patch={"epochs": 2}, state=FixState.VERIFIED, interval=(low, high)),)


def test_then_the_one_whose_verified_cure_brings_most() -> None:
    findings = (
        found("a", category="batch-size", fixes=_cured(0.2, 0.4)),
        found("b", category="activation", fixes=_cured(0.5, 0.7)),
        found("c", explained_by=("a",)),
    )
    assert primary(findings) == "b"


def test_cures_that_bring_about_the_same_do_not_decide() -> None:
    findings = (
        found("a", category="epochs", fixes=_cured(0.5, 0.7)),
        found("b", category="data", fixes=_cured(0.5, 0.6)),
    )
    assert primary(findings) == "b"


def test_then_the_one_that_explains_most_also_indirectly() -> None:
    findings = (
        found("a"),
        found("b"),
        found("a1", explained_by=("a",)),
        found("b1", explained_by=("b",)),
        found("b2", explained_by=("b1",)),
    )
    assert primary(findings) == "b"


def test_then_the_order_in_which_cures_matter() -> None:
    assert primary((found("a", category="epochs"), found("b", category="loss"), found("c", category="data"))) == "c"


def test_an_effect_is_not_primary_however_grave() -> None:
    assert primary((found("a", severity="warning"), found("b", explained_by=("a",)))) == "a"


def test_what_only_a_hint_explains_is_primary_itself() -> None:
    assert primary((found("a", severity="info"), found("b", explained_by=("a",)))) == "b"
