"""Which few rows must a model be able to memorise, and how low can their loss fall?"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from diagnoser.spec.fields import Task
from diagnoser.training.batches import Batch, leaves
from diagnoser.training.data import Split
from diagnoser.training.failures import USER_STOPS
from diagnoser.training.workload import Workload

LARGEST = 512  # rows: with very many classes, some of the classes are left out
NEAR_FLOOR = 0.1  # of the way from the initial loss to the floor
NEAR_NOTHING = 0.05  # of the initial loss, for losses whose floor is unknown
_ROWS_PER_CLASSLESS = 10  # times per_class rows where there are no classes: "n x 10 rows"
_SEARCHED_FOR_CLASSES = 4_096  # rows of a data set that is not in memory
_SEED = 7_103  # the same rows for every trial of a spec
_CONFIDENT = 50.0  # a logit whose softmax is 1 in float32
_ZERO = 1e-6  # a loss that float32 cannot tell from 0 beside a loss of 1
_MOST_VALUES = 20_000_000  # outputs of a small set for which a floor is sought: 80 MB
_STEPS, _RATE = 400, 0.3  # of the descent to the floor: convex in the outputs, a few hundred values


@dataclass(frozen=True, kw_only=True)
class SmallSet:
    """What memorising these rows means."""

    floor: float | None  # None: unknown for this loss
    floor_because: str
    metric_ceiling: float | None  # None: judged by the loss
    contradictions: int

    def memorised(self, *, loss: float, metric: float, initial: float) -> bool:
        """Tell whether the rows are known by heart: metric at its ceiling and loss near its floor."""
        at_ceiling = self.metric_ceiling is None or metric >= self.metric_ceiling
        if not math.isfinite(loss) or not at_ceiling:
            return False
        if self.floor is not None:
            return loss <= self.floor + NEAR_FLOOR * (initial - self.floor)
        return self.metric_ceiling is not None or loss <= NEAR_NOTHING * initial


def choose(workload: Workload, split: Split, *, per_class: int) -> Tensor:
    """Return the rows of the small set, sorted: n of each class, or n x 10 where there are no classes."""
    generator = torch.Generator().manual_seed(_SEED)
    order = torch.randperm(split.rows, generator=generator)
    labels = _labels(workload, split, order)
    if labels is None:
        return order[: min(LARGEST, per_class * _ROWS_PER_CLASSLESS)].sort().values
    seen: Counter[int] = Counter()
    chosen: list[int] = []
    classes = max(1, LARGEST // per_class)
    for row, label in zip(order.tolist(), labels.tolist(), strict=False):
        if seen[label] < per_class and (label in seen or len(seen) < classes):
            seen[label] += 1
            chosen.append(row)
    return torch.tensor(sorted(chosen))


def describe(workload: Workload, batch: Batch) -> SmallSet:
    """Say how low the loss of these rows can fall, and what metric they can reach."""
    layout = workload.layout
    ceiling = workload.metric_function.ceiling
    target = layout.target(batch) if layout is not None else None
    if layout is None or target is None:
        return SmallSet(floor=None, floor_because="no theory for this loss", metric_ceiling=ceiling, contradictions=0)
    if layout.target_is_input:
        return SmallSet(
            floor=0.0, floor_because="a copy of the input has no error", metric_ceiling=None, contradictions=0
        )
    groups = _groups(workload, batch, target)
    contradictions = _contradictions(workload, groups, target)
    if contradictions and ceiling is not None:
        ceiling = _reachable(workload, groups, target, ceiling)
    floor, because = _floor(workload, batch, groups, contradictions)
    return SmallSet(floor=floor, floor_because=because, metric_ceiling=ceiling, contradictions=contradictions)


def _labels(workload: Workload, split: Split, order: Tensor) -> Tensor | None:
    """Return one label per row in the given order; None where rows have no single class."""
    if workload.layout is None or workload.task not in {Task.CLASSIFICATION, Task.BINARY}:
        return None
    read = order if split.in_memory else order[:_SEARCHED_FOR_CLASSES]
    pieces = [workload.layout.target(split.take(rows.to(split.device_of_rows()))) for rows in torch.split(read, 1024)]
    found = [piece for piece in pieces if piece is not None]
    target = torch.cat(found).cpu() if found else torch.empty(0)
    if target.numel() == len(read):
        return target.flatten().long()
    if target.is_floating_point() and target.ndim == 2:
        return target.argmax(1)  # one column per class
    return None


def _groups(workload: Workload, batch: Batch, target: Tensor) -> Tensor:
    """Number equal inputs alike, (B,); for language models equal prefixes, (B, T): their best answer is the same."""
    assert workload.layout is not None
    given = [leaf for leaf in leaves(workload.layout.inputs(batch)) if isinstance(leaf, Tensor)]
    keys: list[Any] = []
    if workload.task is Task.LANGUAGE_MODEL and target.ndim == 2 and given[0].shape == target.shape:
        rows = given[0].cpu()
        keys = [row[: t + 1].numpy().tobytes() for row in rows for t in range(rows.shape[1])]
    elif any(tensor.ndim and len(tensor) != len(target) for tensor in given):
        return torch.arange(len(target))  # rows laid end to end: none is told to be equal
    else:
        flat = [tensor.detach().cpu().contiguous() for tensor in given if tensor.ndim and len(tensor) == len(target)]
        keys = [b"".join(t[i].contiguous().numpy().tobytes() for t in flat) for i in range(len(target))]
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    found = torch.tensor([numbers[key] for key in keys])
    return found.reshape(target.shape) if found.numel() == target.numel() and target.ndim > 1 else found


def _contradictions(workload: Workload, groups: Tensor, target: Tensor) -> int:
    """Count rows (positions of a text) whose input occurs with another target."""
    targets = _keys(groups, target)
    distinct: dict[int, set[Any]] = {}
    for group, key in zip(groups.flatten().tolist(), targets, strict=True):
        distinct.setdefault(group, set()).add(key)
    return sum(len(distinct[group]) > 1 for group in groups.flatten().tolist())


def _keys(groups: Tensor, target: Tensor) -> list[Any]:
    if groups.numel() == target.numel():
        return target.detach().cpu().flatten().tolist()
    return [row.numpy().tobytes() for row in target.detach().cpu()]


def _reachable(workload: Workload, groups: Tensor, target: Tensor, ceiling: float) -> float:
    """Return the metric of the best answer that gives equal inputs one output."""
    if workload.metric_name == "accuracy":
        counts: Counter[Any] = Counter(zip(groups.flatten().tolist(), _keys(groups, target), strict=False))
        best: dict[int, int] = {}
        for (group, _), count in counts.items():
            best[group] = max(best.get(group, 0), count)
        return sum(best.values()) / groups.numel()
    if workload.metric_name == "r2" and groups.numel() == target.numel():
        y = target.detach().cpu().double().flatten()
        sums = torch.zeros(int(groups.max()) + 1, dtype=torch.float64).index_add(0, groups.flatten(), y)
        means = sums / torch.bincount(groups.flatten())
        residual = (y - means[groups.flatten()]).square().sum()
        total = (y - y.mean()).square().sum()
        return float(1 - residual / total) * ceiling if total > 0 else ceiling
    return ceiling


def _floor(workload: Workload, batch: Batch, groups: Tensor, contradictions: int) -> tuple[float | None, str]:
    """Find the lowest loss over all outputs that answer equal inputs alike."""
    assert workload.layout is not None
    target = workload.layout.target(batch)
    if workload.loss_family == "other" or target is None:
        return None, "no theory for this loss"
    shape = _output_shape(workload, target)
    if shape is None:
        return None, "the shape of the output is not known"
    ideal = _ideal(workload, target, shape)
    at_ideal = _loss(workload, ideal, batch) if ideal is not None else None
    if not contradictions and at_ideal is not None and abs(at_ideal) < _ZERO:
        return 0.0, "0: every answer can be exact"
    whole = workload.loss_family in {"cross_entropy", "nll"} and not target.is_floating_point()
    found = _smoothed(workload, batch, groups, shape) if whole else _descend(workload, batch, groups, shape)
    if found is None:
        return None, "the loss could not be followed down to its floor"
    words = []
    if contradictions:
        what = "positions have prefixes" if workload.task is Task.LANGUAGE_MODEL else "rows have inputs"
        words.append(f"{contradictions} {what} that occur with different targets")
    if at_ideal is None or abs(at_ideal) >= _ZERO:
        words.append("the loss does not reach 0 for a certain answer (label smoothing, soft targets)")
    return max(found, 0.0), f"{max(found, 0.0):.3f}: " + "; ".join(words)


def _output_shape(workload: Workload, target: Tensor) -> tuple[int, ...] | None:
    if workload.output_shape is None:
        return None
    return (len(target), *workload.output_shape[1:])


def _ideal(workload: Workload, target: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """Return the outputs that answer with certainty."""
    y = target.detach().cpu()
    numbers = y.float()
    match workload.loss_family:
        case "mse" | "l1" | "huber":
            return (
                numbers.expand(shape)
                if y.shape == shape
                else numbers.reshape(shape)
                if y.numel() == math.prod(shape)
                else None
            )
        case "bce":
            return numbers.reshape(shape) if y.numel() == math.prod(shape) else None
        case "bce_with_logits":
            return ((2 * numbers - 1) * _CONFIDENT).reshape(shape) if y.numel() == math.prod(shape) else None
        case "focal" if y.numel() == math.prod(shape):
            return ((2 * numbers - 1) * _CONFIDENT).reshape(shape)
        case _:
            if y.is_floating_point() or bool((y < 0).any()) or bool((y >= shape[workload.class_axis]).any()):
                return None
            certain = F.one_hot(y, shape[workload.class_axis]).float().movedim(-1, workload.class_axis) * _CONFIDENT
            certain = certain.reshape(shape) if certain.numel() == math.prod(shape) else certain
            return F.log_softmax(certain, workload.class_axis) if workload.loss_family == "nll" else certain


def _smoothed(workload: Workload, batch: Batch, groups: Tensor, shape: tuple[int, ...]) -> float | None:
    """Minimise over how certain the answers are: each input gets the shares of its own targets, smoothed.

    Exact for cross-entropy with label smoothing: its minimum is at (1 - e) q + e / C, for the shares q of each input.
    """
    assert workload.layout is not None
    target = workload.layout.target(batch)
    assert target is not None
    classes, y = shape[workload.class_axis], target.detach().cpu().flatten()
    if groups.numel() != y.numel() or groups.numel() * classes > _MOST_VALUES:
        return None
    shares = torch.zeros(int(groups.max()) + 1, classes)
    shares.index_put_((groups.flatten(), y.clamp(0, classes - 1)), torch.ones(len(y)), accumulate=True)
    shares = (shares / shares.sum(1, keepdim=True))[groups.flatten()]  # (positions, classes)
    last = len(shape) - 1
    by_position = [size for axis, size in enumerate(shape) if axis != workload.class_axis]

    def at(smoothing: float) -> float:
        smooth = ((1 - smoothing) * shares + smoothing / classes).clamp_min(1e-30).log()
        outputs = smooth.reshape(*by_position, classes).movedim(last, workload.class_axis)
        found = _loss(workload, outputs, batch)
        return math.inf if found is None or math.isnan(found) else found

    exponents = torch.linspace(-6, -0.3, 20, dtype=torch.float64)  # smoothing of 1e-6 to 0.5
    best = min([0.0, *(10**exponents).tolist()], key=at)
    for width in (0.3, 0.03):  # of an exponent: each round looks closer round the best
        near = (best * 10 ** torch.linspace(-width, width, 13, dtype=torch.float64)).clamp(max=0.999).tolist()
        best = min([best, *near], key=at)
    return at(best) if math.isfinite(at(best)) else None


def _descend(workload: Workload, batch: Batch, groups: Tensor, shape: tuple[int, ...]) -> float | None:
    """Minimise the loss over free outputs, one for each distinct input; convex for all known families but focal."""
    assert workload.layout is not None
    if math.prod(shape) > _MOST_VALUES // 100:
        return None
    target = workload.layout.target(batch)
    assert target is not None
    positions = groups.shape if groups.numel() != len(target) else groups.shape[:1]
    if workload.class_axis == 1 and len(positions) > 1:
        return None  # (B, V, T): not laid out position by position
    free = torch.zeros((int(groups.max()) + 1, *shape[len(positions) :]), requires_grad=True)
    numbers = workload.loss_family in {"mse", "l1", "huber"} and target.numel() > 1
    rate = _RATE * (float(target.detach().float().std()) or 1.0) if numbers else _RATE
    optimizer = torch.optim.Adam([free], lr=rate)
    best = math.inf
    try:
        for step in range(_STEPS):
            loss = _loss_tensor(workload, _answers(workload, free, groups, shape), batch)
            best = min(best, float(loss.detach()))
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            optimizer.param_groups[0]["lr"] = rate * (1 - step / _STEPS)
    except USER_STOPS:
        return None
    return best if math.isfinite(best) else None


def _answers(workload: Workload, free: Tensor, groups: Tensor, shape: tuple[int, ...]) -> Tensor:
    outputs = free[groups.flatten()].reshape(shape)
    if workload.loss_family == "nll":
        return F.log_softmax(outputs, workload.class_axis)
    return torch.sigmoid(outputs) if workload.loss_family == "bce" else outputs


def _loss(workload: Workload, outputs: Tensor, batch: Batch) -> float | None:
    try:
        with torch.no_grad():
            return float(_loss_tensor(workload, outputs, batch))
    except USER_STOPS:
        return None


def _loss_tensor(workload: Workload, outputs: Tensor, batch: Batch) -> Tensor:
    """Compute the loss of free outputs, on the scale of a batch's loss where that grows with the batch."""
    loss = workload.loss_of_answers(outputs.to(workload.device), workload.to_device(batch))
    rows = len(outputs)
    return loss if workload.loss_is_mean else loss * (min(rows, workload.train.batch_size) / rows)
