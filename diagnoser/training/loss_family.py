"""Of which family is a loss that the user wrote? Found by its values on random outputs, not by its name."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from diagnoser.training.failures import USER_STOPS
from diagnoser.training.losses import Family, is_tokens
from diagnoser.training.randomness import forked

_PROBES = 8  # random outputs; more than the two unknowns that are fitted
_FITS = 1e-4  # relative residual: float32 sums of a few hundred terms
_MOST_VALUES = 200_000  # of an output that is probed


def observed_family(function: Callable[[Tensor, Tensor], Tensor], output: Tensor, target: Tensor) -> Family:
    """Compare the loss of one row with those of known families, up to a factor and the terms of smoothing or weights.

    One row, so that class weights cancel or scale alike; several random outputs, so that only the same function fits.
    """
    if output.ndim == 0 or target.ndim == 0 or output.numel() > _MOST_VALUES * len(output):
        return "other"
    row, answer = target[:1], output[:1]
    with torch.no_grad(), forked(0):
        draws = [2 * torch.randn_like(answer.float()) for _ in range(_PROBES)]
        for family, (candidate, transform) in _CANDIDATES.items():
            try:
                points = [transform(draw) for draw in draws]
                seen = torch.stack([function(point.to(output.dtype), row).reshape(()).double() for point in points])
                terms = torch.stack([torch.stack(candidate(point, row)).double() for point in points])
            except USER_STOPS:
                continue
            if _explained(seen.cpu(), terms.cpu()):
                return family
    return "other"


def _explained(seen: Tensor, terms: Tensor) -> bool:
    """Tell whether the values are a combination of the terms: a least-squares fit without residual."""
    if not (torch.isfinite(seen).all() and torch.isfinite(terms).all()) or seen.std() == 0:
        return False
    fitted = terms @ torch.linalg.lstsq(terms, seen[:, None], driver="gelsd").solution
    return bool((fitted[:, 0] - seen).abs().max() <= _FITS * seen.abs().max())


def _classes(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if is_tokens(output, target):
        return output.flatten(0, -2), target.flatten()
    return output, target


def _cross_entropy(output: Tensor, target: Tensor) -> list[Tensor]:
    z, y = _classes(output, target)
    return [F.cross_entropy(z, y), -F.log_softmax(z, 1).mean()]  # the second: label smoothing


def _nll(output: Tensor, target: Tensor) -> list[Tensor]:
    z, y = _classes(output, target)
    return [F.nll_loss(z, y)]


def _focal(output: Tensor, target: Tensor) -> list[Tensor]:
    from diagnoser.training.losses import focal_loss

    z, y = (output, target) if output.shape == target.shape else _classes(output, target)
    return [focal_loss(z, y)]


def _logits(output: Tensor, target: Tensor) -> list[Tensor]:
    y = target.view_as(output).to(output.dtype)
    return [(y * F.softplus(-output)).mean(), ((1 - y) * F.softplus(output)).mean()]  # two terms: pos_weight


def _probabilities(output: Tensor, target: Tensor) -> list[Tensor]:
    y = target.view_as(output).to(output.dtype)
    return [-(y * output.log()).mean(), -((1 - y) * (1 - output).log()).mean()]


def _difference(output: Tensor, target: Tensor) -> Tensor:
    return output - target.view_as(output).to(output.dtype)


_Candidate = Callable[[Tensor, Tensor], list[Tensor]]
_CANDIDATES: dict[Family, tuple[_Candidate, Callable[[Tensor], Tensor]]] = {
    "mse": (lambda z, y: [_difference(z, y).square().mean()], lambda z: z),
    "l1": (lambda z, y: [_difference(z, y).abs().mean()], lambda z: z),
    "huber": (lambda z, y: [F.huber_loss(_difference(z, y), torch.zeros_like(z))], lambda z: z),
    "cross_entropy": (_cross_entropy, lambda z: z),
    "bce_with_logits": (_logits, lambda z: z),
    "nll": (_nll, lambda z: F.log_softmax(z, -1)),
    "bce": (_probabilities, torch.sigmoid),
    "focal": (_focal, lambda z: z),
}
