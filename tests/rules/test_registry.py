"""Which rules are there, and what is said about a file that is none?"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diagnoser.evidence.steps import InitialLoss, Treatments
from rules import catalog, registry
from rules.pages import SECTIONS, parse
from rules.registry import category_of, find, rules
from rules.rule import Answer, RuleDefinitionError, needs

GOOD = """
from rules.rule import Passed, Rule
RULE = Rule(title="It is wrong", why="Because.", since="0.1")
def check(initial: "InitialLoss | None"):
    yield Passed(observed="", expected="")
from diagnoser.evidence.steps import InitialLoss
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty catalogue with one category; each test names its rule differently, since modules stay imported."""
    monkeypatch.setattr(catalog, "__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "rules.catalog.data", raising=False)
    monkeypatch.delattr(catalog, "data", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "__init__.py").touch()
    rules.cache_clear()
    yield tmp_path / "data"
    rules.cache_clear()
    sys.modules.pop("rules.catalog.data", None)
    monkeypatch.undo()


def test_a_file_and_its_page_are_a_rule_and_nothing_else_is_needed(folder: Path) -> None:
    (folder / "quite_wrong.py").write_text(GOOD)
    (folder / "quite_wrong.md").touch()
    (rule,) = rules()
    assert (rule.id, rule.category, rule.rule.title) == ("quite-wrong", "data", "It is wrong")
    assert find("quite-wrong") is rule
    assert find("quite-right") is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("no_python", "def check(:", "it cannot be imported: SyntaxError"),
        ("no_meta", "def check(): yield", "no RULE"),
        ("no_check", GOOD.replace("def check", "def chekc"), "no generator function check"),
        ("no_yield", GOOD.replace("yield Passed", "return Passed"), "no generator function check"),
        ("no_type", GOOD.replace(': "InitialLoss | None"', ""), "there is none"),
        ("odd_type", GOOD.replace("InitialLoss | None", "int"), "no record of the evidence"),
    ],
)
def test_a_file_that_is_no_rule_is_named_with_what_it_lacks(folder: Path, name: str, text: str, said: str) -> None:
    (folder / f"{name}.py").write_text(text)
    (folder / f"{name}.md").touch()
    with pytest.raises(RuleDefinitionError, match=said) as caught:
        rules()
    assert name in str(caught.value)


def test_a_rule_without_its_page_is_refused(folder: Path) -> None:
    (folder / "without_page.py").write_text(GOOD)
    with pytest.raises(RuleDefinitionError, match=r"without_page\.md: the rule's page is missing"):
        rules()


def test_a_folder_that_is_no_category_is_refused() -> None:
    assert category_of("learning_rate") == "learning-rate"
    with pytest.raises(RuleDefinitionError, match="no category of the design"):
        category_of("misc")


def test_the_catalogue_is_walked_once_in_a_process() -> None:
    assert rules() is rules()
    assert registry.find(rules()[0].id) is rules()[0]


def test_reading_the_catalogue_loads_nothing_heavy() -> None:
    """`diagnoser rules` works in the base install, which has neither numpy nor scipy; judging twice a run stays fast."""
    program = """if True:
        import sys
        from rules.registry import rules
        rules()
        import rules.engine
        print(*sorted({"numpy", "scipy", "sklearn", "torch", "ruamel.yaml"} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_needs_are_the_types_of_the_parameters() -> None:
    def check(initial: InitialLoss, treatments: Treatments | None) -> Iterator[Answer]:
        yield from ()

    assert [(need.name, need.record, need.optional) for need in needs(check)] == [
        ("initial", InitialLoss, False),
        ("treatments", Treatments, True),
    ]


PAGE = "# It is wrong\n\n" + "\n".join(f"## {heading}\n\nText.\n" for heading in SECTIONS)


def test_a_page_is_cut_into_its_sections() -> None:
    page = parse(PAGE.replace("Text.", "```python\n# no title\n## no section\n```", 1), name="x.md")
    assert page.title == "It is wrong"
    assert page.sections["What it sees"].startswith("```python")
    assert tuple(page.sections) == SECTIONS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PAGE.replace("# It is wrong", "", 1), "no title"),
        (PAGE.replace("## Why it matters", "## Why"), "sections are"),
        (PAGE.replace("Text.", "", 1), "nothing stands under What it sees"),
    ],
)
def test_a_page_that_lacks_something_is_refused(text: str, said: str) -> None:
    with pytest.raises(RuleDefinitionError, match=said):
        parse(text, name="x.md")
