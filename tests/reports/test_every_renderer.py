"""The contract of every renderer: hostile words do no harm, nothing is lost, the size is bounded, two calls agree."""

import json
import re
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from diagnoser.evidence.outcome import NotMeasured, Reason
from diagnoser.findings import Confidence, Finding, Fix, FixState, Location, Severity, Verdict
from reports import html, junit, markdown
from rules.engine import judge
from tests.helpers import make

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'`|\u2028]]>\x07"
RENDERERS = {"html": html.render, "notebook": html.render_cell, "markdown": markdown.render, "junit": junit.render}
HARD_LIMIT = 1_000_000  # research/surface.md 3
TYPICAL_LIMIT = 300_000


def _finding(number=1, **overrides):
    plain = {
        "id": f"learning-rate-too-high#{number}",
        "rule": "learning-rate-too-high",
        "category": "learning-rate",
        "severity": Severity.ERROR,
        "confidence": Confidence.HIGH,
        "title": f"Learning rate 0.1 diverges {HOSTILE}",
        "why": f"why {HOSTILE}",
        "message": f"message {HOSTILE}",
        "observed": f"rose 41x {HOSTILE}",
        "expected": f"no rise {HOSTILE}",
        "evidence": ("/steps/lr_scan/value/points",),
        "location": Location(file=f"x{HOSTILE}.yaml", line=3, key="optimizer.lr", subject=HOSTILE),
        "fixes": (
            Fix(
                title=f"Lower it {HOSTILE}",
                patch={"optimizer.lr": 0.003},
                diff=f"-  lr: 0.1\n+  lr: 0.003 {HOSTILE}",
                state=FixState.REFUTED,
                before="0.11",
                after="0.10",
                interval=(-0.1, 0.05),
            ),
        ),
        "fingerprint": f"sha256:{number}",
        "docs": "rules/learning-rate-too-high",
    }
    return Finding.model_validate(plain | overrides)


@pytest.fixture(scope="module")
def healthy():
    return judge(make.evidence())


@pytest.fixture(scope="module")
def sick(healthy):
    """Everything at once: hostile words, an explained finding, an ignored one, a step that was not measured."""
    effect = _finding(2, id="loss-diverges", rule="loss-diverges", explained_by=("learning-rate-too-high#1",))
    missing = NotMeasured(reason=Reason.USER_ERROR, because=f"your code raised {HOSTILE}", traceback=HOSTILE)
    steps = healthy.steps.model_copy(update={"curves": missing})
    spec = healthy.spec.model_copy(update={"name": HOSTILE})
    change = {
        "findings": (_finding(), effect),
        "passed": tuple(rule for rule in healthy.passed if rule.rule not in {effect.rule, _finding().rule}),
        "primary": "learning-rate-too-high#1",
        "verdict": Verdict.BROKEN,
        "steps": steps,
        "spec": spec,
    }
    return healthy.model_copy(update=change)


@pytest.mark.parametrize("name", RENDERERS)
def test_two_calls_agree(name, sick):
    assert RENDERERS[name](sick) == RENDERERS[name](sick)


@pytest.mark.parametrize("name", RENDERERS)
def test_the_finding_and_its_numbers_are_told(name, sick):
    text = RENDERERS[name](sick)
    assert "Learning rate 0.1 diverges" in text
    assert "rose 41x" in text


class _Tags(HTMLParser):
    """Collects the tags and attributes that a browser would see."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.mark.parametrize("name", ["html", "notebook"])
def test_hostile_words_make_no_element_and_no_handler(name, sick):
    seen = _Tags()
    seen.feed(RENDERERS[name](sick))
    assert "img" not in seen.tags
    assert not [a for a in seen.attributes if a.startswith("on")]
    assert "style" not in seen.attributes  # a strict policy forbids them, and the charts must not need them


def test_the_page_runs_no_script_and_asks_for_nothing(sick):
    page = html.render(sick)
    seen = _Tags()
    seen.feed(page)
    assert re.findall(r"<script(?![^>]*application/json)", page) == []
    assert not {"src", "href", "srcset", "action"} & set(seen.attributes)
    assert "default-src 'none'" in unescape(page)


def test_the_diagnosis_can_be_taken_out_of_the_page_again(sick):
    page = html.render(sick)
    embedded = re.search(r'<script type="application/json" id="diagnosis">(.*?)</script>', page, re.DOTALL)
    assert embedded is not None
    assert json.loads(embedded[1]) == json.loads(sick.model_dump_json())


def test_a_healthy_page_says_so_in_its_title_and_shows_a_chart_for_each_step(healthy):
    page = html.render(healthy)
    assert re.search(r"<title>[^<]*healthy", page)
    assert page.count("<svg") >= 6
    assert page.count('role="img"') == page.count("<svg")


def test_a_step_that_was_not_measured_says_why_and_shows_the_users_traceback(sick):
    page = html.render(sick)
    assert "not measured (user error): your code raised" in page


def test_a_refuted_fix_is_shown_as_refuted(sick):
    assert "tried and refuted" in html.render(sick)
    assert "tried and refuted" in markdown.render(sick)


def test_an_explained_finding_lies_under_its_cause(sick):
    page = html.render(sick)
    assert page.index("It explains:") > page.index('id="learning-rate-too-high#1"')
    assert 'id="loss-diverges"' not in page


def test_the_page_stays_small(healthy):
    assert len(html.render(healthy).encode()) < TYPICAL_LIMIT


def test_a_hundred_findings_stay_under_the_hard_limits(healthy):
    many = healthy.model_copy(
        update={"findings": tuple(_finding(n) for n in range(100)), "primary": "learning-rate-too-high#0"}
    )
    assert len(html.render(many).encode()) < HARD_LIMIT
    assert len(html.render_cell(many).encode()) < html.NOTEBOOK_BYTES
    assert len(markdown.render(many).encode()) < 65_536


def _suite(diagnosis) -> ET.Element:
    suite = ET.fromstring(junit.render(diagnosis)).find("testsuite")
    assert suite is not None
    return suite


def test_junit_is_xml_with_one_case_per_rule(sick):
    suite = _suite(sick)
    cases = {case.get("name"): case for case in suite}
    assert len(cases) == int(suite.attrib["tests"])
    assert cases["learning-rate-too-high"].find("failure") is not None
    assert int(suite.attrib["failures"]) == 2


def test_unjudged_rules_are_skipped_and_never_passed(healthy):
    suite = _suite(healthy)
    skipped = {case.get("name") for case in suite if case.find("skipped") is not None}
    assert {rule.rule for rule in healthy.unjudged} <= skipped
