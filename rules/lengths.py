"""How does one lengthen a run? The epochs or steps, and the schedule that is written for them."""

from diagnoser.findings import Fix
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec

DEFAULT_EPOCHS = 10  # DESIGN 5
LENGTHS = ("T_max", "total_steps", "total_iters", "step_size", "epochs", "milestones")
"""Arguments of schedules that count epochs or steps of the run."""


def longer(spec: TrainingSpec, *, factor: int) -> Fix:
    """The run times `factor`, its schedule stretched along."""
    if spec.steps is not None:
        length, key, noun = factor * spec.steps, "steps", "steps"
    else:
        length, key, noun = factor * (spec.epochs or DEFAULT_EPOCHS), "epochs", "epochs"
    patch: dict[str, JsonValue] = {key: length}
    args = spec.scheduler.args if spec.scheduler is not None else {}
    stretched = {name: _times(value, factor) for name, value in args.items() if name in LENGTHS}
    if stretched:
        patch["scheduler.args"] = {**args, **stretched}
    return Fix(title=f"Train for {length} {noun}", patch=patch)


def _times(value: JsonValue, factor: int) -> JsonValue:
    if isinstance(value, list):
        return [_times(item, factor) for item in value]
    return value * factor if isinstance(value, int) and not isinstance(value, bool) else value
