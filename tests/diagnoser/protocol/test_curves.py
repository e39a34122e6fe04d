"""Does the evidence of the user's own runs say at which updates its numbers were taken?"""

import pytest

from diagnoser.protocol import curves
from diagnoser.trials import Outcome, Trial, TrialResult
from tests.helpers import make

UPDATES = 6_000


@pytest.mark.parametrize(("every", "kept_every"), [(1, 15), (10, 20), (100, 100)])
def test_each_norm_that_is_kept_belongs_to_a_known_update(every: int, kept_every: int) -> None:
    result = TrialResult(
        outcome=Outcome.COMPLETED,
        updates=UPDATES,
        losses=(1.0,) * UPDATES,
        gradient_norms=tuple(float(update) for update in range(0, UPDATES, every)),
        gradient_norm_every=every,
    )
    run = curves.read(make.spec(), make.steps(), ((Trial(seed=0, scheduled=True), result),)).runs[0]
    assert run.gradient_norm_every == kept_every
    on_the_grid = run.gradient_norms[: 1 + (UPDATES - every) // kept_every]
    assert on_the_grid == tuple(float(index * kept_every) for index in range(len(on_the_grid)))


def test_a_run_without_instruments_has_no_norms() -> None:
    result = TrialResult(outcome=Outcome.COMPLETED, updates=3, losses=(1.0,) * 3)
    run = curves.read(make.spec(), make.steps(), ((Trial(seed=0, scheduled=True), result),)).runs[0]
    assert (run.gradient_norms, run.gradient_norm_every) == ((), None)
