"""What do other models reach on the same rows? The simple ones, the reference network, and the user's own runs."""

from typing import NamedTuple

from diagnoser.evidence.outcome import Measured
from diagnoser.evidence.steps import Steps
from reports import figures
from reports.numbers import number, plural

MODELS = {
    "majority": "no look at the inputs",
    "linear": "linear model",
    "knn": "k nearest neighbours",
    "bigram": "bigram table",
}


class Yardsticks(NamedTuple):
    """What other models reach on the same rows, the user's own last."""

    metric: str
    rows: tuple[tuple[str, str, str], ...]  # model, on training, on validation
    note: str


def table(steps: Steps) -> Yardsticks | None:
    """The simple models, the reference network and the user's own runs, as a table; None where there are none."""
    if not isinstance(steps.preflight.baselines, Measured):
        return None
    seen = steps.preflight.baselines.value
    rows = [(MODELS[score.name], number(score.train), number(score.validation)) for score in seen.scores]
    note = f"Trained on {seen.rows_used:,} training rows at most."
    if (network := seen.reference) is not None:
        words = f"reference: {network.network.replace('_', ' ')}, {network.parameters:,} parameters"
        rows.append((words, number(network.train), number(network.validation)))
        note += (
            f" The reference is a small network that is known to work: {plural(network.updates, 'update')}. "
            "It shows what can be learned at least, and is no yardstick of quality."
        )
    if isinstance(steps.curves, Measured) and steps.curves.value.metric == seen.metric:
        runs = [run for run in steps.curves.value.runs if run.loop == "ours" and run.validation_metric]
        if runs:
            train = figures.typical(tuple(run.train_metric[-1] for run in runs))
            validation = figures.typical(tuple(run.validation_metric[-1] for run in runs))
            rows.append(("yours, the whole run", number(train), number(validation)))
    return Yardsticks(seen.metric, tuple(rows), note)
