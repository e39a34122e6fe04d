"""Two faults at once, each of which hides the other: from a spec and its program to the findings."""

import json
from pathlib import Path
from typing import Any

import pytest

from diagnoser.findings import Diagnosis, Finding, Fix, FixState
from tests.helpers.command_line import diagnoser
from tests.helpers.replaying import replay

pytestmark = pytest.mark.slow

PROGRAM = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(20, 32)
        self.out = nn.Linear(32, 10)

    def forward(self, x):
        scores = self.out(torch.relu(self.hidden(x)))
        return {output}


def rows(count, seed):
    \"\"\"Ten groups of points that lie well apart.\"\"\"
    generator = torch.Generator().manual_seed(seed)
    centres = 2.0 * torch.randn(10, 20, generator=torch.Generator().manual_seed(7))
    labels = torch.randint(10, (count,), generator=generator)
    return centres[labels] + 1.5 * torch.randn(count, 20, generator=generator) + {shift}, labels


def data():
    return rows(600, 1), rows(300, 2)
"""
SPEC = """\
model: project:Net
data: project:data
loss: cross_entropy
optimizer:
  name: {optimizer}
  lr: {lr}
epochs: 10
"""


def diagnosed(folder: Path, *, output: str, shift: float, optimizer: str, lr: str) -> Diagnosis:
    """What `diagnoser run` finds in a program whose output, inputs and learning rate are these."""
    (folder / "project.py").write_text(PROGRAM.format(output=output, shift=shift), encoding="utf-8")
    (folder / "diagnose.yaml").write_text(SPEC.format(optimizer=optimizer, lr=lr), encoding="utf-8")
    done = diagnoser("run", "--preset", "quick", cwd=folder)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads((folder / "diagnosis" / "diagnosis.json").read_text(encoding="utf-8"))
    return Diagnosis.model_validate(read)


def found(diagnosis: Diagnosis, rule: str) -> Finding:
    return next(finding for finding in diagnosis.findings if finding.rule == rule)


def pair(finding: Finding) -> Fix:
    return next(fix for fix in finding.fixes if fix.together is not None)


def test_far_off_inputs_and_a_far_too_low_lr_are_both_found_though_neither_cure_helps_alone(tmp_path: Path) -> None:
    diagnosis = diagnosed(tmp_path, output="scores", shift=100.0, optimizer="adam", lr="1e-7")
    for rule in ("inputs-not-standardised", "learning-rate-too-low"):
        finding = found(diagnosis, rule)
        assert (finding.severity, finding.confidence, finding.explained_by) == ("warning", "high", ())
        alone, both = finding.fixes[0], pair(finding)
        assert alone.state is not FixState.VERIFIED
        assert both.state is FixState.VERIFIED
        assert both.together is not None
        assert both.together.state is FixState.VERIFIED
    assert diagnosis.primary == "inputs-not-standardised"


def test_a_softmax_before_cross_entropy_and_a_far_too_high_lr_are_both_found(tmp_path: Path) -> None:
    diagnosis = diagnosed(tmp_path, output="torch.softmax(scores, dim=1)", shift=0.0, optimizer="sgd", lr="100.0")
    softmax, lr = found(diagnosis, "softmax-before-cross-entropy"), found(diagnosis, "learning-rate-too-high")
    assert softmax.explained_by == lr.explained_by == ()
    assert softmax.fixes[0].state is FixState.REFUTED  # logits make that lr diverge
    both = pair(lr)
    assert both.state is FixState.VERIFIED
    texts = {name: (tmp_path / name).read_text(encoding="utf-8") for name in ("project.py", "diagnose.yaml")}
    assert both.diff is not None
    mended = replay(texts, both.diff)
    assert mended["project.py"] == PROGRAM.format(output="scores", shift=0.0)
    assert mended["diagnose.yaml"] != texts["diagnose.yaml"]
    report = (tmp_path / "diagnosis" / "report.html").read_text(encoding="utf-8")
    assert "-        return torch.softmax(scores, dim=1)" in report
