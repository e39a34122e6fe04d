"""What would a guess lose? Theory values for the initial loss, and in words where they come from."""

import math
from typing import NamedTuple

from diagnoser.evidence.preflight import Assumptions, DataProfile
from diagnoser.spec.fields import Task, TrainingSpec

FOCAL_GAMMA = 2.0  # the default of our focal_loss


class Chance(NamedTuple):
    """The loss of a model that knows nothing, in the loss's own unit; None where no theory is known."""

    value: float | None
    because: str
    prior: float | None = None  # the loss of a model that knows the class prior and nothing else


def chance(spec: TrainingSpec, known: Assumptions, data: DataProfile | None) -> Chance:
    """The loss of a guess for this task and loss.

    ln C for cross-entropy over C classes (a uniform guess), ln 2 for binary cross-entropy, (1 - 1/C)^γ ln C for the
    focal loss (Lin et al. 2017), E[y²] for squared error of an output near zero.
    """
    if spec.step is not None and known.loss_family == "other":
        return Chance(None, "the loss is computed by the user's own step, so its value for a guess is not known")
    prior = data.targets.prior_entropy if data is not None else None
    match known.loss_family:
        case "cross_entropy" | "nll" | "focal" if known.classes is not None and known.classes > 1:
            uniform = math.log(known.classes)
            noun = "symbols" if known.task is Task.LANGUAGE_MODEL else "classes"
            if known.loss_family != "focal":
                return Chance(uniform, f"ln {known.classes}, a uniform guess over {known.classes} {noun}", prior)
            args = spec.loss.args if spec.loss is not None else {}
            gamma = args.get("gamma", FOCAL_GAMMA)
            exponent = float(gamma) if isinstance(gamma, int | float) else FOCAL_GAMMA
            factor = (1 - 1 / known.classes) ** exponent
            return Chance(factor * uniform, f"(1 - 1/C)^γ ln C for C = {known.classes}, γ = {exponent:g}", None)
        case "bce" | "bce_with_logits":
            return Chance(math.log(2), "ln 2, an even guess between yes and no", prior)
        case "mse" if data is not None and math.isfinite(data.targets.std):
            square = data.targets.std**2 + data.targets.mean**2
            return Chance(
                square, "the mean square of the targets, what an answer of zero would lose", data.targets.std**2
            )
        case _:
            return Chance(None, f"no theoretical value is known for the loss {known.loss}")
