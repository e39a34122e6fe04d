"""When is a change of the user's own source shown with a fix, and when not?"""

import inspect
import sys
from typing import get_args

import pytest

from diagnoser.evidence.evidence import EditName, Evidence, SourceEdit
from diagnoser.findings import Fix
from diagnoser.trials import Transform
from rules import registry, source_diffs
from rules.engine import judge
from tests.helpers import make
from tests.helpers.toy_rules import always, finding

DIFF = "--- net.py\n+++ net.py\n@@ -9,1 +9,1 @@\n-        return softmax(x)\n+        return x"
LOGITS = Fix(title="Return logits", transforms=(Transform.REMOVE_FINAL_ACTIVATION,), advice="drop the softmax")


def edit(name: EditName, subject: str | None = None, diff: str = DIFF) -> SourceEdit:
    return SourceEdit(name=name, subject=subject, file="net.py", line=9, diff=diff)


def evidence(*edits: SourceEdit, last: str = "Softmax") -> Evidence:
    source = make.environment().source.model_copy(update={"edits": edits})
    model = make.model_profile(output=make.output_profile(final_operation=last))
    return make.evidence(environment=make.environment(source=source), model=model)


def shown(fix: Fix, evidence: Evidence, *, rule: str = "a-rule", subject: str | None = None) -> str | None:
    found = judge(evidence, catalogue=[always(finding(fixes=(fix,), subject=subject), id=rule)]).findings
    return found[0].fixes[0].diff


def test_a_transform_is_shown_as_the_line_of_the_users_file_that_it_changes() -> None:
    assert shown(LOGITS, evidence(edit("drop-final-activation", "softmax"))) == DIFF


@pytest.mark.parametrize(
    "edits",
    [(), (edit("insert-relu"),), (edit("drop-final-activation", "sigmoid"),)],
    ids=["none was found", "another change", "another activation than the model was seen to end in"],
)
def test_without_a_line_that_must_be_meant_the_advice_stays_alone(edits: tuple[SourceEdit, ...]) -> None:
    assert shown(LOGITS, evidence(*edits)) is None


def test_a_fix_of_spec_and_source_shows_both_files() -> None:
    both = LOGITS.model_copy(update={"patch": {"optimizer.lr": 1e-4}})
    diff = shown(both, evidence(edit("drop-final-activation", "softmax")))
    assert diff is not None
    assert diff.index("-  lr: 1e-3") < diff.index(DIFF)
    assert diff.endswith(DIFF)


def test_an_advice_gets_the_change_that_does_what_it_says_and_no_other() -> None:
    clear = Fix(title="Clear", advice="put `optimizer.zero_grad()` in the line before `loss.backward()`")
    loop = evidence(edit("clear-gradients"))
    assert shown(clear, loop, rule="gradients-not-cleared") == DIFF
    assert shown(clear, loop, rule="another-rule") is None
    assert shown(Fix(title="Think", advice="about it"), loop, rule="gradients-not-cleared") is None
    reference = Fix(title="Ours", transforms=(Transform.OUR_LOOP,), advice=clear.advice)
    assert shown(reference, loop, rule="gradients-not-cleared") is None


def test_of_several_attributes_the_one_that_was_found_is_changed() -> None:
    other = DIFF.replace("softmax", "other")
    both = evidence(edit("register-layers", "blocks", other), edit("register-layers", "heads"))
    register = Fix(title="Register", advice="use `nn.ModuleList`")
    assert shown(register, both, rule="modules-not-registered", subject="net.heads") == DIFF
    assert shown(register, both, rule="modules-not-registered", subject="blocks") == other
    assert shown(register, both, rule="modules-not-registered", subject="net.tails") is None


@pytest.mark.parametrize("rule", source_diffs.BY_ADVICE)
def test_the_words_that_a_change_goes_with_are_those_of_the_rule(rule: str) -> None:
    registered = registry.find(rule)
    assert registered is not None
    text = inspect.getsource(sys.modules[registered.check.__module__])
    for words, _ in source_diffs.BY_ADVICE[rule]:
        assert words in text, f"{rule} says it in other words now"


def test_every_change_that_is_looked_for_goes_with_some_fix() -> None:
    used = {*source_diffs.BY_TRANSFORM.values()} | {n for each in source_diffs.BY_ADVICE.values() for _, n in each}
    assert used == set(get_args(EditName))
