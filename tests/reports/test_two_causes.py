"""How does a cure of two causes read?"""

from html import unescape

import pytest

from diagnoser.findings import Fix, FixState, Together
from diagnoser.trials import Transform
from reports import html, markdown, view
from rules.engine import judge
from tests.helpers import make
from tests.helpers.toy_rules import always, finding


def share(state: FixState, *others: str, interval: tuple[float, float] | None = None) -> str:
    return view.share(Fix(title="Both", together=Together(others=others, state=state, interval=interval)))


@pytest.mark.parametrize(
    ("state", "interval", "words"),
    [
        (FixState.VERIFIED, (0.84, 0.88), "Beyond the cure of learning-rate-too-high alone, this one's brings 0.84 to 0.88."),
        (FixState.VERIFIED, None, "With the cure of learning-rate-too-high alone every run failed."),
        (FixState.REFUTED, (0.0, 0.0), "Beyond the cure of learning-rate-too-high alone, this one's brings nothing."),
        (FixState.INCONCLUSIVE, None, "Whether this one's adds to the cure of learning-rate-too-high alone cannot be told."),
    ],
)  # fmt: skip
def test_each_card_says_what_its_own_part_brings(
    state: FixState, interval: tuple[float, float] | None, words: str
) -> None:
    assert share(state, "learning-rate-too-high", interval=interval) == words


def test_a_fix_of_one_finding_says_nothing_of_the_kind() -> None:
    assert view.share(Fix(title="Lower")) == ""
    assert share(FixState.VERIFIED) == ""


def test_every_report_shows_the_cure_of_both_with_its_figures() -> None:
    logits = Fix(title="Return logits", transforms=(Transform.REMOVE_FINAL_ACTIVATION,))
    lower = Fix(title="Lower the lr", patch={"optimizer.lr": 1e-4})
    chance = (0.11, 0.10, 0.12)
    treatments = make.treatments(
        make.treatment(rule="softmax", title=logits.title, after=chance),
        make.treatment(rule="lr", title=lower.title, patch=lower.patch, transforms=(), after=chance),
        make.treatment(title="Both: <these>", patch=lower.patch, rule="softmax", parts=(logits.key, lower.key)),
    )
    rules = (always(finding(fixes=(logits,)), id="softmax"), always(finding(fixes=(lower,)), id="lr"))
    diagnosis = judge(make.evidence(treatments=treatments), catalogue=rules)
    for page in (html.render(diagnosis), html.render_cell(diagnosis)):
        assert "Both: &lt;these&gt;" in page
        assert "Beyond the cure of lr alone, this one's brings" in unescape(page)
    text = markdown.render(diagnosis)
    assert "Both: \\<these\\>: validation accuracy 0.11 (3 of 3 seeds) to validation accuracy 0.9667" in text
    assert "Beyond the cure of lr alone, this one's brings" in text
