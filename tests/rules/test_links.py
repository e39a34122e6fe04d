"""Which finding is caused by which?"""

from hypothesis import given
from hypothesis import strategies as st

from rules.links import Node, ancestors, explained_by

NAMES = ("a", "b", "c", "d", "e")


def node(name: str, *explains: str, refuted: bool = False) -> Node:
    return Node(id=name, rule=name.split("#", maxsplit=1)[0], explains=explains, refuted=refuted)


def test_only_causes_that_are_present_are_named() -> None:
    assert explained_by((node("effect"), node("cause", "effect", "absent"))) == {"effect": ("cause",), "cause": ()}


def test_every_finding_of_the_explained_rule_is_explained_and_by_every_finding_of_the_cause() -> None:
    found = explained_by((node("cause", "effect"), node("cause#2", "effect"), node("effect"), node("effect#2")))
    assert found["effect"] == found["effect#2"] == ("cause", "cause#2")


def test_a_refuted_cause_explains_nothing() -> None:
    assert explained_by((node("cause", "effect", refuted=True), node("effect")))["effect"] == ()


def test_a_rule_does_not_explain_itself() -> None:
    assert explained_by((node("a", "a"), node("a#2"))) == {"a": (), "a#2": ()}


def test_causes_of_causes_are_ancestors() -> None:
    assert ancestors("c", {"c": ("b",), "b": ("a",), "a": ()}) == {"a", "b"}


@given(st.lists(st.lists(st.sampled_from(NAMES), unique=True), min_size=len(NAMES), max_size=len(NAMES)))
def test_whatever_rules_claim_nothing_explains_itself_in_the_end(claims: list[list[str]]) -> None:
    causes = explained_by(node(name, *explains) for name, explains in zip(NAMES, claims, strict=True))
    assert not [name for name in NAMES if name in ancestors(name, causes)]
