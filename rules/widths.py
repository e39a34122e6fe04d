"""Which argument of the model sets its width? For fixes that widen or narrow it."""

from diagnoser.findings import Fix
from diagnoser.records import JsonValue
from diagnoser.spec.fields import TrainingSpec

NAMES = (
    "width", "hidden", "hidden_size", "hidden_dim", "hidden_units", "hidden_features", "n_hidden", "num_hidden",
    "units", "dim", "d_model", "n_embd", "embed_dim", "embedding_dim", "channels", "base_channels", "features", "code",
    "bottleneck",
)  # fmt: skip
"""What people call it; compared without case and dashes."""


def widened(spec: TrainingSpec, *, factor: float) -> Fix | None:
    """The fix that multiplies the width, or each width of a list; None when `model.args` names none."""
    patch: dict[str, JsonValue] = {}
    for name, value in spec.model.args.items():
        if name.lower().replace("-", "_") in NAMES:
            scaled = _scaled(value, factor)
            if scaled is not None:
                patch[f"model.args.{name}"] = scaled
    if not patch:
        return None
    said = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in patch.items())
    return Fix(title=f"Try {factor:g} times the width ({said})", patch=patch)


def _scaled(value: JsonValue, factor: float) -> JsonValue:
    """An int, or a list of ints, times the factor; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return max(1, round(value * factor))
    if isinstance(value, list) and value:
        scaled = [_scaled(item, factor) for item in value]
        return scaled if all(isinstance(item, int) for item in scaled) else None
    return None


def advice() -> Fix:
    """What to say when the model takes no width."""
    return Fix(
        title="Widen the model",
        advice="give the model factory a `width` argument and name it under `model.args`, so that it can be tried",
    )
