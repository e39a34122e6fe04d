"""The numbers and words of `docs/protocol.md` and `docs/rules.md` are those of the program."""

import typing
from collections.abc import Iterable

import pytest

from diagnoser.evidence.outcome import Reason
from diagnoser.evidence.steps import CurveReading, Preflight
from diagnoser.findings import Confidence, FixState, Severity, Verdict
from diagnoser.protocol import (
    allowance,
    coarse_search,
    curves,
    estimate,
    fine_search,
    initial_loss,
    lr_scan,
    overfit,
    treatment,
)
from diagnoser.protocol.preflight import FIRST, REST
from diagnoser.protocol.session import PLAN
from diagnoser.protocol.spending import (
    GRACE_SHARE,
    LEFT_OUT_BY_QUICK,
    MOST_FOR_PROBES,
    ROUND_GRACE,
    ROUND_OVERRUN,
    SHARES,
)
from diagnoser.spec.fields import Budget, Protocol
from rules import confirmation, primary
from rules.pages import SECTIONS
from rules.verdict import DEMANDED_PROBES
from tests.helpers import pages

DOCS = pages.ROOT / "docs"
PAGE = DOCS / "protocol.md"
TEXT = " ".join(PAGE.read_text(encoding="utf-8").split())

HEADINGS = {
    "preflight": "### 0. Preflight",
    "initial_loss": "### 1. Initial loss",
    "overfit": "### 2. A small set",
    "lr_scan": "### 3. Learning-rate scan",
    "curves": "### 6. Curves",
    "coarse_search": "### 4. Coarse search",
    "fine_search": "### 5. Fine search",
    "treatments": "### 7. Treatment",
}


def firsts(page: str, *, columns: int) -> tuple[str, ...]:
    return tuple(cells[0].strip("`") for _, cells in pages.table_rows(DOCS / page, columns=columns))


def literal(record: type, field: str) -> Iterable[str]:
    """The choices of a field that is a tuple of literals."""
    return typing.get_args(typing.get_args(typing.get_type_hints(record)[field])[0])


def test_the_steps_stand_in_the_order_in_which_they_run() -> None:
    assert list(HEADINGS) == list(SHARES) == ["preflight", *PLAN, "treatments"]
    places = [PAGE.read_text(encoding="utf-8").index(heading) for heading in HEADINGS.values()]
    assert places == sorted(places)


def test_the_shares_of_the_budget_are_those_of_the_session() -> None:
    rows = [cells for _, cells in pages.table_rows(PAGE, columns=len(SHARES))]
    assert rows[1] == tuple(f"{100 * share:.0f} %" for share in SHARES.values())


def test_the_presets_do_what_the_table_says() -> None:
    rows = {cells[0].strip("`"): cells[1:] for _, cells in pages.table_rows(PAGE, columns=3)}
    assert {preset: int(rows[preset][1]) for preset in treatment.MOST_FIXES} == treatment.MOST_FIXES
    assert rows["quick"][0] == "0 to 3, and 7"
    assert set(LEFT_OUT_BY_QUICK) == {"coarse_search", "fine_search", "curves"}


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("protocol.md", literal(CurveReading, "classes")),
        ("protocol.md", Reason),
        ("protocol.md", Verdict),
        ("protocol.md", FixState),
        ("protocol.md", Preflight.model_fields),
        ("rules.md", Severity),
        ("rules.md", Confidence),
    ],
    ids=["curves", "reasons", "verdicts", "states", "probes", "severities", "confidences"],
)
def test_every_word_of_a_closed_list_is_explained(page: str, words: Iterable[str]) -> None:
    assert set(map(str, words)) <= set(firsts(page, columns=2))


def test_the_page_has_as_many_probes_as_run() -> None:
    assert len(FIRST) + len(REST) == len(Preflight.model_fields) == 10
    assert "Ten probes" in TEXT


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("Five fresh models", initial_loss.INITIALISATIONS == 5),
        ("Eight rows a class (80 rows", overfit.PER_CLASS == 8),
        ("after 2,000 updates", overfit.MOST_UPDATES == 2_000),
        ("1/3, 3, 1/10, 10, 1/100 and 100 times", overfit.LADDER == (1 / 3, 3.0, 1 / 10, 10.0, 1 / 100, 100.0)),
        ("Up to three seeds", overfit.SEEDS == 3),
        ("two learning rates a decade, from 1e-5 to 1e-1", (lr_scan.PER_DECADE, lr_scan.LOWEST) == (2, 1e-5)),
        ("no fewer than 100 and no more than 400", (lr_scan.ENOUGH_UPDATES, lr_scan.MOST_UPDATES) == (100, 400)),
        ("at most to 1e-8 and 100", lr_scan.REACH == (1e-8, 1e2)),
        ("the loss fell by 5 %", lr_scan.FALLS == 0.05),
        ("two further seeds", lr_scan.SEEDS_AT_ENDS == 2),
        ("up to 30 evaluations", curves.MOST_EVALUATIONS == 30),
        ("24 random draws", coarse_search.RANDOM_DRAWS == 24),
        ("at most five epochs", coarse_search.MOST_EPOCHS == 5),
        ("a quarter of the length, the best quarter", (coarse_search.ETA, coarse_search.FIRST_RUNG) == (4, 0.25)),
        ("more than a fifth of the step's time", coarse_search.PANDA_SHARE == 0.2),
        ("The best three of the coarse search", fine_search.BEST == 3),
        ("up to 20 epochs", fine_search.MOST_EPOCHS == 20),
        ("up to four points", fine_search.PROPOSALS == 4),
        ("every fix over three pairs", treatment.PAIRS == 3),
        ("The error rate of 5 %", confirmation.ERROR_RATE == 0.05),
        ("exceeds two standard errors", confirmation.STANDARD_ERRORS == 2.0),
        ("half a point of accuracy", confirmation.LEAST_SHARE == 0.005),
        ("2 % of any other figure", confirmation.LEAST_RELATIVE == 0.02),
        ("much less (under 80 %)", primary.MOST_OF_THE_GAIN == 0.8),
        ("one and a half times its even share", allowance.MAX_SLACK == 1.5),
        ("three times what its step had left and a grace of 30 s", (ROUND_OVERRUN, ROUND_GRACE) == (3.0, 30.0)),
        ("at most a quarter of the budget", GRACE_SHARE == 0.25),
        ("the probes after a quarter of what is left", MOST_FOR_PROBES == 0.25),
        ("the whole run ends within a tenth of it", estimate.OVERRUN == 1.1),
        ("whose ends are a factor of 2 apart", estimate.SPREAD == 2.0),
        ("more than half the way to the floor", overfit.HALF_WAY == 0.5),
        ("10 minutes unless you say so", Budget().minutes == 10),
        ("three seeds (`protocol.seeds`)", Protocol().seeds == 3),
        ("the probes of data, model, loss and optimizer", DEMANDED_PROBES == ("data", "model", "loss", "optimizer")),
    ],
)
def test_a_number_on_the_page_is_the_programs(words: str, number: bool) -> None:
    assert words in TEXT, "the page says it in other words now: keep this list and the page together"
    assert number, f"the program has moved on: rewrite {words!r} in docs/protocol.md"


def test_the_sections_of_a_rules_page_are_explained_in_their_order() -> None:
    text = (DOCS / "rules.md").read_text(encoding="utf-8")
    places = [text.index(f"* **{section}**") for section in SECTIONS]
    assert places == sorted(places)
