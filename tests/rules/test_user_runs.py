"""What several runs say together."""

import pytest

from rules import user_runs
from rules.rule import Unjudged


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        ((True, True, False), True),
        ((True, False, False), False),
        ((True, True, False, False), False),
        ((False,), False),
    ],
)
def test_what_depends_on_the_seed_must_appear_in_most_of_at_least_two(flags: tuple[bool, ...], answer: bool) -> None:
    assert user_runs.enough(flags) is answer
    assert user_runs.in_most(flags) is answer


def test_what_was_seen_in_the_only_run_is_neither_a_finding_nor_a_pass() -> None:
    with pytest.raises(Unjudged, match="only run"):
        user_runs.enough((True,))
