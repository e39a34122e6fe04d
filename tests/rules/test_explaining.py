"""Does the reader of a rule's text find every id that the rule may explain?"""

import pytest

from tests.helpers.explaining import explained_in

CASES = {
    "explains=('a', 'b')": ("a", "b"),
    "explains=EFFECTS": ("x", "y"),
    "explains=EFFECTS if name == 'training' else ('c',)": ("c", "x", "y"),
    "explains=(*EFFECTS, 'c')": ("c", "x", "y"),
    "explains=named(seen='no')": ("d", "x", "y"),
    "explains=tuple(found)": ("e", "f"),
    "explains=tuple(name for name in EFFECTS if seen)": ("x", "y"),
    "explains=BY_KIND['k']": ("k", "x", "y"),
    "explains=()": (),
}
FILE = """
EFFECTS = ("x", "y")
BY_KIND = {"k": EFFECTS}
def check(seen):
    found = ["e"]
    if seen == "no":
        found.append("f")
    yield Finding(message="not this", %s)
def named(seen):
    found = list(EFFECTS)
    found += ["d"]
    return tuple(found) if seen != "other" else ()
"""


@pytest.mark.parametrize("said", list(CASES))
def test_every_way_of_saying_it_is_read(said: str) -> None:
    assert explained_in(FILE % said) == CASES[said]
