"""What does a user read whose code or spec is wrong? Before a first batch an exit code; afterwards a diagnosis."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import mischief
from tests.helpers.command_line import diagnoser, environment

OURS = ("diagnoser/cli", "diagnoser/local", "diagnoser/training", "diagnoser/protocol", "diagnoser/sandbox")
"""Parts of a path that no message for a user should hold."""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: [unclosed", "diagnose.yaml:"),
        ("just some words", "diagnose.yaml"),
        ("\0\1\2", "diagnose.yaml"),
        ("", "diagnose.yaml"),
        ("model: absent:model\ndata: absent:data\n", "absent"),
        ("model: project:modell\ndata: project:data\n", "did you mean"),
        ("model: project:model\ndata: project:data\noptimiser: adam\n", "did you mean `optimizer`?"),
    ],
    ids=["no YAML", "no mapping", "binary", "empty", "missing module", "missing function", "unknown key"],
)
def test_a_spec_that_is_wrong_ends_with_2_and_names_the_place(tmp_path: Path, text: str, words: str) -> None:
    mischief.write(tmp_path).write_text(text, encoding="utf-8")
    done = diagnoser("run", "diagnose.yaml", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "diagnosis").exists()


BEFORE_A_BATCH: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "the model's factory raises": ({"kind": "raises"}, {}, 'raise ValueError("my own words")'),
    "the model's factory exits": ({"kind": "exits"}, {}, 'sys.exit("enough")'),
    "the model's factory prints megabytes": ({"kind": "prints and raises"}, {}, "my own words"),
    "the model's factory forks": ({"kind": "forks and raises"}, {}, "my own words"),
    "the model's factory never returns": ({"kind": "hangs"}, {}, "time.sleep(0.01)"),
    "the model's factory returns no module": ({"kind": "returns text"}, {}, "must return a torch.nn.Module"),
    "the model returns the wrong shape": ({"kind": "wrong shape"}, {}, "(31, 3)"),
    "the data's factory raises": ({}, {"kind": "raises"}, "train.csv is not there"),
    "the training set is empty": ({}, {"kind": "empty"}, "the train split is empty"),
    "the batches hold text": ({}, {"kind": "strings"}, "def training_step(model, batch):"),
}


@pytest.mark.parametrize("case", BEFORE_A_BATCH)
def test_user_code_that_gives_no_first_batch_ends_with_3_and_their_own_words(tmp_path: Path, case: str) -> None:
    model, data, words = BEFORE_A_BATCH[case]
    spec = mischief.write(tmp_path, model=model, data=data)
    limit = {"DIAGNOSER_LOAD_SECONDS": "5"} if model.get("kind") == "hangs" else {}
    done = diagnoser("run", spec, cwd=tmp_path, env=environment(**limit))
    assert done.returncode == 3, done.stderr
    assert words in done.stderr
    assert len(done.stderr) < 5_000
    assert not any(part in done.stderr for part in OURS)
    assert done.stdout == ""
    assert not (tmp_path / "diagnosis").exists()


AFTER_A_BATCH: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "a step that raises in the 50th batch": ({"kind": "raises", "after": 50}, {}, 'raise ValueError("my own words")'),
    "sys.exit in the 50th batch": ({"kind": "exits", "after": 50}, {}, 'sys.exit("enough")'),
    "an endless loop": ({"kind": "hangs", "after": 200}, {}, "time.sleep(0.01)"),
    "a model without parameters": ({"kind": "no parameters"}, {}, "the model has no parameters"),
    "a target out of range": ({}, {"kind": "target out of range"}, "labels-out-of-range"),
    "NaN everywhere": ({}, {"kind": "all NaN"}, "inputs-non-finite"),
}
BY_A_RULE = {"a target out of range", "NaN everywhere"}


@pytest.mark.slow
@pytest.mark.parametrize("case", AFTER_A_BATCH)
def test_what_goes_wrong_after_a_first_batch_is_in_the_report(tmp_path: Path, case: str) -> None:
    model, data, words = AFTER_A_BATCH[case]
    spec = mischief.write(tmp_path, model=model, data=data)
    done = diagnoser("run", spec, "--preset", "quick", "--budget", "60s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not any(part in done.stdout + done.stderr for part in OURS)
    assert words in done.stdout
    diagnosis = json.loads((tmp_path / "diagnosis" / "diagnosis.json").read_text(encoding="utf-8"))
    if case in BY_A_RULE:
        assert words == next(f["rule"] for f in diagnosis["findings"] if f["id"] == diagnosis["primary"])
        return
    ended = [outcome for outcome in _outcomes(diagnosis["steps"]) if outcome.get("reason") == "user_error"]
    assert any(words in (outcome["traceback"] or outcome["because"]) for outcome in ended)
    words_of_page = words.replace('"', "&#34;")
    assert words_of_page in (tmp_path / "diagnosis" / "report.html").read_text(encoding="utf-8")


def _outcomes(steps: dict[str, Any]) -> list[dict[str, Any]]:
    return [*steps["preflight"].values(), *(outcome for name, outcome in steps.items() if name != "preflight")]
