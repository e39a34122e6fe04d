"""What does a browser make of the report? The operating system's Chromium, scripts off, nothing but the file."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, sync_playwright

from reports import html
from rules.engine import judge
from tests.helpers import make

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: `make programs` installs it")


class Opened:
    """The page, what it asked for and what it complained about."""

    def __init__(self, page: Page, requests: list[str], complaints: list[str]) -> None:
        self.page, self.requests, self.complaints = page, requests, complaints


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    file: Path = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(html.render(judge(make.evidence())), encoding="utf-8")
    requests: list[str] = []
    complaints: list[str] = []

    def note(request: Request) -> None:
        requests.append(request.url)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_context(java_script_enabled=False).new_page()
        page.on("request", note)
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(file.as_uri())
        yield Opened(page, requests, complaints)
        browser.close()


def test_the_verdict_is_on_the_screen_and_in_the_title(opened: Opened) -> None:
    assert "healthy" in opened.page.title()
    assert opened.page.locator("header .verdict").is_visible()


def test_every_chart_is_drawn_without_a_script(opened: Opened) -> None:
    charts = opened.page.locator("figure svg")
    assert charts.count() >= 6
    for number in range(charts.count()):
        box = charts.nth(number).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) > 100


def test_nothing_is_asked_of_the_network_and_the_policy_is_kept(opened: Opened) -> None:
    assert [url for url in opened.requests if not url.startswith("file:")] == []
    assert opened.complaints == []


def test_the_page_does_not_scroll_sideways_on_a_small_screen(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 400, "height": 800})
    body = opened.page.locator("body").bounding_box()
    assert body is not None
    assert body["width"] <= 400
