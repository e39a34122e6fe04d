"""What a reader may rely on: links lead somewhere, examples run, commands and rules that are named exist."""

import functools
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import torch
from torch import nn

import diagnoser
from diagnoser.cli.app import cli
from diagnoser.notebook import diagnose
from diagnoser.spec.reading import parse_spec
from diagnoser.trials import Transform
from rules.registry import CATEGORIES, rules
from tests.helpers import pages
from tests.helpers.pages import ROOT, Block, Place
from tests.helpers.small_workload import blobs, net

PAGES = pages.pages()
RULES = {rule.id for rule in rules()}
KEBAB = re.compile(r"[a-z]+(-[a-z]+)+(#\d)?")
NO_RULES = {
    "report-only": "a mode of the gate",
    "check-relu": "the name that a rule should not have",
    **{transform.value: "a transform" for transform in Transform},
    **dict.fromkeys(CATEGORIES, "a category"),
}
TARGET = re.compile(r"\bmake (?P<target>[a-z.-]+)")
PLACEHOLDER = {"ID", "FILE", "DIR", "SPEC"}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in pages.blocks(page, *languages)]


def trains(block: Block) -> bool:
    return "diagnoser.diagnose(" in block.text


# --- links -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    assert [str(place) for place in pages.links(page) if not resolves(place)] == []


def resolves(place: Place) -> bool:
    target, _, anchor = place.text.partition("#")
    if re.match(r"[a-z]+:", target):
        return True  # elsewhere: the network is none of a test's business
    file = (place.page.parent / target).resolve() if target else place.page
    if not file.exists() or not file.is_relative_to(ROOT):
        return False
    return not anchor or anchor in pages.anchors(file)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=named)
def test_every_page_can_be_reached_from_the_readme(page: Path) -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        here = waiting.pop()
        seen.add(here)
        targets = ((here.parent / link.text.partition("#")[0]).resolve() for link in pages.links(here))
        waiting += [target for target in targets if target.suffix == ".md" and target.exists() and target not in seen]
    assert page in seen


# --- examples --------------------------------------------------------------------------------------------------------


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What a reader of the notebook's example has at hand; a diagnosis keeps to a minute or so."""
    monkeypatch.chdir(tmp_path)
    small = functools.partial(diagnose, preset="quick", budget_minutes=0.5, progress=False)
    monkeypatch.setattr(diagnoser, "diagnose", small, raising=False)
    torch.set_num_threads(1)
    data = {"train": blobs(320, seed=1), "validation": blobs(100, seed=2)}
    return {"__name__": "page", "build_model": net, **data}


@pytest.mark.parametrize("block", [b for b in all_blocks("python") if not trains(b)], ids=str)
def test_the_python_of_a_page_runs(block: Block, scene: dict[str, object]) -> None:
    exec(block.compiled(), scene)


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in all_blocks("python") if trains(b)], ids=str)
def test_the_python_of_a_page_that_trains_gives_what_it_promises(
    block: Block, scene: dict[str, object], tmp_path: Path
) -> None:
    exec(block.compiled(), scene)
    diagnosis = scene["diagnosis"]
    assert isinstance(diagnosis, diagnoser.Diagnosis)
    assert diagnosis.verdict in {"healthy", "impaired", "broken", "inconclusive"}
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_failing_example_names_its_page_and_line(scene: dict[str, object]) -> None:
    page = ROOT / "README.md"
    with pytest.raises(SyntaxError) as caught:
        Block(page, 9, "python", "x = = 1\n").compiled()
    assert (caught.value.filename, caught.value.lineno) == ("README.md", 9)


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=str)
def test_the_yaml_of_a_page_is_a_spec_or_a_part_of_one(block: Block) -> None:
    text = block.text
    for key in ("model", "data"):  # a part says nothing of these
        if not re.search(rf"^{key}:", text, re.MULTILINE):
            text += f"{key}: project:build_{key}\n"
    spec, _ = parse_spec(text, file=str(block), folder=ROOT, check_modules=False)
    assert {ignore.rule for ignore in spec.rules.ignore} <= RULES


def test_the_worked_step_gives_a_first_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diagnoser.training.workload import load

    page = ROOT / "docs" / "spec.md"
    (program,) = (b for b in pages.blocks(page, "python") if b.text.startswith("# pairs.py"))
    (text,) = (b.text for b in pages.blocks(page, "yaml") if "pairs:training_step" in b.text)
    (tmp_path / "pairs.py").write_text(program.text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "pairs", raising=False)
    spec, source = parse_spec(text, folder=tmp_path)
    workload = load(spec, folder=Path(source.folder))
    model = workload.build_model(seed=0)
    assert isinstance(model, nn.Module)
    assert workload.loss(model, workload.train.head(32)).ndim == 0
    assert (workload.train.rows, workload.validation.rows) == (500, 100)


# --- commands --------------------------------------------------------------------------------------------------------


def calls(page: Path) -> Iterator[tuple[Place, list[str]]]:
    """Every `diagnoser ...` of a page, cut into words."""
    for place in pages.code(page):
        for match in re.finditer(r"(?:^|[\s/\"])diagnoser (?P<rest>[a-z].*)", place.text):
            words = shlex.split(match["rest"].partition(" #")[0].rstrip('"\\'), comments=True)
            yield place, words


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    wrong = [f"{place}: {problem}" for place, words in calls(page) if (problem := problem_of(words))]
    assert wrong == []


def problem_of(words: list[str]) -> str | None:
    command = cli.commands.get(words[0])
    if command is None:
        return f"there is no command {words[0]}"
    known = {
        name
        for option in command.params
        if isinstance(option, click.Option)
        for name in (*option.opts, *option.secondary_opts)
    }
    unknown = [word for word in words[1:] if word.startswith("--") and word not in known]
    if unknown:
        return f"{words[0]} has no option {unknown[0]}"
    if words[0] == "rules" and len(words) > 1 and words[1] not in RULES | PLACEHOLDER:
        return f"there is no rule {words[1]}"
    return None


def test_the_readme_names_the_commands_that_a_user_begins_with() -> None:
    told = {words[0] for _, words in calls(ROOT / "README.md")}
    assert {"init", "validate", "plan", "run", "check", "rules", "curves"} <= told


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_make_target_that_a_page_names_is_in_the_makefile(page: Path) -> None:
    there = set(re.findall(r"^([a-z./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = {match["target"] for place in pages.code(page) for match in TARGET.finditer(place.text)}
    assert asked - there == set()


# --- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_rule_that_a_page_names_exists(page: Path) -> None:
    asked = [place for place in pages.inline_code(page) if KEBAB.fullmatch(place.text) and place.text not in NO_RULES]
    assert [str(place) for place in asked if place.text.partition("#")[0] not in RULES] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_of_ours_that_a_page_names_is_there(page: Path) -> None:
    ours = re.compile(r"(?:diagnoser|rules|reports|tests|benchmarks|examples|docs|\.ci)/[\w./-]*")
    named_files = [place for place in pages.inline_code(page) if ours.fullmatch(place.text)]
    assert [str(place) for place in named_files if not (ROOT / place.text).exists()] == []


def test_the_change_log_counts_the_rules_of_each_category() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("### Rules")[2].partition("\n## ")[0]
    counted = {name: int(number) for name, number in re.findall(r"\| ([a-z-]+) \| (\d+) \|", text)}
    there = dict.fromkeys(CATEGORIES, 0)
    for rule in rules():
        there[rule.category] += 1
    assert counted == there, "a new rule changes other people's CI: note it in CHANGELOG.md"


def test_pages_name_the_environment_variables_that_there_are() -> None:
    said = {word for page in PAGES for word in re.findall(r"DIAGNOSER_[A-Z_]+", page.read_text(encoding="utf-8"))}
    program = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "diagnoser").rglob("*.py"))
    assert said == set(re.findall(r"DIAGNOSER_[A-Z_]+", program))
