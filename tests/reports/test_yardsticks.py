"""What does the report say of other models on the same rows?"""

from html import unescape

from diagnoser.evidence.evidence import Evidence
from reports import html, yardsticks
from rules.engine import judge
from tests.helpers import make


def page(evidence: Evidence) -> str:
    return unescape(html.render(judge(evidence, catalogue=())))


def test_the_table_sets_the_simple_models_the_reference_network_and_the_users_own_beside_each_other() -> None:
    shown = page(make.evidence(preflight=make.preflight(baselines=make.baselines(reference=make.reference()))))
    assert "<th>validation accuracy</th>" in shown
    for row in (
        "<td>linear model</td><td>0.995</td><td>0.935</td>",
        "<td>k nearest neighbours</td><td>not measured</td><td>0.955</td>",
        "<td>reference: perceptron, 8,970 parameters</td><td>0.999</td><td>0.95</td>",
    ):
        assert row in shown
    assert "<td>yours, the whole run</td>" in shown
    assert "750 updates" in shown


def test_without_a_reference_network_the_table_has_no_row_for_it() -> None:
    shown = yardsticks.table(make.evidence().steps)
    assert shown is not None
    assert not [name for name, *_ in shown.rows if name.startswith("reference")]
    assert "reference" not in shown.note


def test_a_run_judged_by_another_metric_is_not_set_beside_them() -> None:
    evidence = make.evidence(preflight=make.preflight(baselines=make.baselines(metric="f1")))
    shown = yardsticks.table(evidence.steps)
    assert shown is not None
    assert not [name for name, *_ in shown.rows if name.startswith("yours")]


def test_where_no_simple_model_could_be_trained_there_is_no_table() -> None:
    nothing = make.not_measured("the batches hold no target that a simple model could learn")
    evidence = make.evidence(preflight=make.preflight(baselines=nothing))
    assert yardsticks.table(evidence.steps) is None
    assert "What other models reach" not in page(evidence)
