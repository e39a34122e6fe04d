"""What every rule owes its reader: a page, two tests, words that can be traced, and silence on healthy programs."""

import ast
import itertools
import json
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from diagnoser.evidence.evidence import Evidence
from diagnoser.findings import Diagnosis, Severity
from diagnoser.spec.fields import TrainingSpec
from rules.engine import judge
from rules.pages import page
from rules.registry import Registered, rules
from rules.spoils import SPOILS
from tests.helpers import gold
from tests.helpers.catalogue import CATALOGUE, IDS
from tests.helpers.explaining import explained
from tests.helpers.judge import found_in

TESTS = Path(__file__).parent / "catalog"
HEALTHY = gold.healthy()
BY_NAME = {rule.id: rule for rule in rules()}


@pytest.fixture(params=list(BY_NAME))
def rule(request: pytest.FixtureRequest) -> Registered:
    return BY_NAME[request.param]


@pytest.fixture(params=list(HEALTHY))
def program(request: pytest.FixtureRequest) -> Evidence:
    return HEALTHY[request.param]


def test_the_rule_is_in_the_catalogue_under_its_category(rule: Registered) -> None:
    assert rule.id in CATALOGUE[rule.category]


def test_no_id_stands_in_two_categories() -> None:
    names = list(itertools.chain.from_iterable(CATALOGUE.values()))
    assert len(names) == len(set(names)) == len(IDS)


def test_the_page_is_complete_and_has_the_rules_title(rule: Registered) -> None:
    assert page(rule).title == rule.rule.title


def test_the_rule_says_why_it_matters_in_a_sentence(rule: Registered) -> None:
    assert rule.rule.why.endswith(".")
    assert not rule.rule.title.endswith(".")


def test_the_rule_has_both_tests(rule: Registered) -> None:
    file = TESTS / rule.category.replace("-", "_") / f"test_{rule.id.replace('-', '_')}.py"
    assert file.is_file(), f"{file.relative_to(TESTS.parents[2])} is missing"
    functions = {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}
    assert {"test_fires", "test_is_silent"} <= functions


def test_what_the_rule_explains_is_in_the_catalogue_and_not_itself(rule: Registered) -> None:
    said = set(explained(rule))
    assert said <= IDS
    assert rule.id not in said


def test_no_chain_of_causes_comes_back_to_its_beginning() -> None:
    sorter = TopologicalSorter({rule.id: explained(rule) for rule in rules()})
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_what_spoils_other_judgments_is_in_the_catalogue() -> None:
    assert set(SPOILS) | {name for entry in SPOILS.values() for name in entry.rules} <= IDS


def test_a_healthy_program_gets_no_error_and_no_warning(program: Evidence) -> None:
    grave = [f"{f.id}: {f.message}" for f in judge(program).findings if f.severity is not Severity.INFO]
    assert not grave


def test_no_rule_of_ours_fails_on_a_healthy_program(program: Evidence) -> None:
    assert not [entry for entry in judge(program).unjudged if entry.reason == "engine_error"]


def test_every_rule_answers_exactly_once(program: Evidence) -> None:
    kinds = kinds_of_answer(judge(program))
    assert set().union(*kinds.values()) == set(BY_NAME)
    assert sum(len(names) for names in kinds.values()) == len(BY_NAME)


def test_two_calls_agree(program: Evidence) -> None:
    assert judge(program).model_dump_json() == judge(program).model_dump_json()


def test_every_pointer_of_a_finding_leads_somewhere(program: Evidence) -> None:
    diagnosis = judge(program)
    root = json.loads(diagnosis.model_dump_json())
    pointers = [pointer for finding in diagnosis.findings for pointer in finding.evidence]
    assert not [pointer for pointer in pointers if not found_in(root, pointer)]


def test_without_evidence_only_the_spec_can_pass() -> None:
    of_the_spec = {rule.id for rule in rules() if all(n.optional or n.record is TrainingSpec for n in rule.needs)}
    assert {entry.rule for entry in judge(HEALTHY["nothing measured"]).passed} <= of_the_spec


def kinds_of_answer(diagnosis: Diagnosis) -> dict[str, set[str]]:
    """The rules behind each kind of answer."""
    return {
        "findings": {entry.rule for entry in diagnosis.findings},
        "passed": {entry.rule for entry in diagnosis.passed},
        "unjudged": {entry.rule for entry in diagnosis.unjudged},
        "not applicable": {entry.rule for entry in diagnosis.not_applicable},
    }
