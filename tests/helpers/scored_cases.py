"""Small corpora whose truth, and what was said of them, are written by hand."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.fault_scores import cases, results, running
from benchmarks.fault_scores.cases import Case
from benchmarks.fault_scores.results import Ended, Result, Settings

SETTINGS = Settings(preset="standard", budget="2m")


def entry(name: str, *categories: str, rules: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """What truth.json says of a case: faulty when it has categories."""
    return {
        "id": name,
        "name": name,
        "faulty": bool(categories),
        "categories": [*categories],
        "rules": [*rules],
        **more,
    }


def finding(rule: str, category: str, severity: str, confidence: str, **more: Any) -> dict[str, Any]:
    return {"id": rule, "rule": rule, "category": category, "severity": severity, "confidence": confidence, **more}


def diagnosis(verdict: str, *findings: dict[str, Any], primary: str | None = None, **more: Any) -> dict[str, Any]:
    return {"verdict": verdict, "primary": primary, "findings": [*findings], **more}


SOFTMAX = finding(
    "softmax-before-cross-entropy", "loss", "error", "high",
    fixes=[{"transforms": ["remove-final-activation"], "state": "verified"}],
)  # fmt: skip
STUCK = finding("does-not-learn", "training-loop", "error", "high", explained_by=["softmax-before-cross-entropy"])
RATE = finding("learning-rate-too-high", "learning-rate", "warning", "medium", fixes=[{"advice": "lower it"}])
ROWS = finding("noisy-labels", "labels", "warning", "low")
HINT = finding("small-validation-set", "data", "info", "high")

TRUTH = [
    entry("f1", "loss", "activation", rules=["softmax-before-cross-entropy"]),
    entry("f2", "data", rules=["inputs-not-standardised"]),
    entry("f3", "labels", rules=["noisy-labels"]),
    entry("f4", "learning-rate", rules=["learning-rate-too-high", "too-few-epochs"]),
    entry("f5", "epochs", rules=["too-few-epochs"]),
    entry("h1"), entry("h2"), entry("h3"), entry("h4"),
]  # fmt: skip
SAID: dict[str, tuple[float, dict[str, Any] | str]] = {
    "f1": (10, diagnosis("broken", SOFTMAX, STUCK, primary="softmax-before-cross-entropy")),  # rule
    "f2": (20, diagnosis("impaired", RATE, primary="learning-rate-too-high")),  # wrong
    "f3": (30, diagnosis("impaired", RATE, ROWS, primary="learning-rate-too-high")),  # not first
    "f4": (40, diagnosis("inconclusive", HINT)),  # missed
    "f5": (600, "timeout"),
    "h1": (10, diagnosis("healthy", HINT)),
    "h2": (20, diagnosis("impaired", RATE, primary="learning-rate-too-high")),
    "h3": (30, diagnosis("inconclusive", ROWS, primary="noisy-labels")),  # not sure: no false alarm
    "h4": (5, "exit 3"),
}


def keep(folder: Path, case: Case, spec: Path, said: dict[str, Any] | str, *, seconds: float = 1.0) -> None:
    folder.mkdir(parents=True)
    ended = Ended(
        case=case,
        program=running.hash_of(spec.parent),
        settings=SETTINGS,
        seconds=seconds,
        failure=said if isinstance(said, str) else None,
    )
    (folder / "run.json").write_text(ended.model_dump_json(), encoding="utf-8")
    if isinstance(said, dict):
        (folder / "diagnosis.json").write_text(json.dumps(said), encoding="utf-8")


def read(corpus: Path, kept: Path) -> list[Result]:
    return list(running.read_all(cases.read(corpus), out=kept, seed=None))


def case(name: str = "f", *categories: str, **more: Any) -> Case:
    return cases.parse(entry(name, *categories, **more), corpus="small")


def treated(after: list[Any], *, effect: str = "worse", twin: float | None = 0.9, **more: Any) -> Result:
    measured = {"metric": more.pop("metric", "accuracy"), "twin": None if twin is None else {"val": twin}}
    tried = {"patch": {}, "transforms": ["remove-final-activation"], "metric": "accuracy", "after": after} | more
    said = diagnosis("broken", SOFTMAX, steps={"treatments": {"seconds": 9.0, "value": {"treatments": [tried]}}})
    return results.of_diagnosis(case("f", "loss", effect=effect, measured=measured), said, seconds=1.0)
