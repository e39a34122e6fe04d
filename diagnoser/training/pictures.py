"""How are pictures augmented? Flipped, shifted, rotated: training rows only, anew each time they are drawn."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from diagnoser.training.batches import Batch, pin
from diagnoser.training.data import Split
from diagnoser.training.layout import Layout
from diagnoser.training.randomness import derived
from diagnoser.training.unsupported import Unsupported
from diagnoser.training.workload import Workload
from diagnoser.trials import Transform

# Legend of shapes: B rows, C channels, H and W sides in pixels.

_FLIPPED = 0.5  # share of the rows
_SHIFT = 8  # a picture moves by up to one part in so many of its side: 4 of 32 pixels, as is usual (He et al. 2016)
_DEGREES = 15.0  # CATALOGUE, overfitting: small enough for a 6 not to become a 9
SMALLEST_SIDE = 8  # below, an eighth of the side is less than a pixel

Change = Callable[[Tensor, torch.Generator], Tensor]
"""New pictures from pictures, (B, C, H, W); draws from the generator, on the CPU, alone."""


def flipped(x: Tensor, generator: torch.Generator) -> Tensor:
    """Exchange left and right in half of the rows."""
    turned = torch.rand(len(x), generator=generator) < _FLIPPED
    return torch.where(turned.to(x.device).reshape(-1, 1, 1, 1), x.flip(-1), x)


def shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Move each picture; what moves in from outside repeats the pixels of the edge."""
    down, right = (_places(side, len(x), generator).to(x.device) for side in x.shape[2:])  # (B, H) and (B, W)
    rows = torch.arange(len(x), device=x.device)
    return x.movedim(1, -1)[rows[:, None, None], down[:, :, None], right[:, None, :]].movedim(-1, 1).contiguous()


def rotated(x: Tensor, generator: torch.Generator) -> Tensor:
    """Turn each picture about its middle; what turns in from outside repeats the pixels of the edge."""
    angles = (2 * torch.rand(len(x), generator=generator) - 1) * math.radians(_DEGREES)
    cos, sin, none = angles.cos(), angles.sin(), torch.zeros_like(angles)
    height, width = x.shape[2:]
    # affine_grid measures both sides as 2, so a turn of a picture that is no square has to be stretched back.
    across = torch.stack([cos, -sin * height / width, none], 1)
    along = torch.stack([sin * width / height, cos, none], 1)
    exact = x if x.dtype in {torch.float32, torch.float64} else x.float()
    turns = torch.stack([across, along], 1).to(exact)  # (B, 2, 3)
    grid = F.affine_grid(turns, list(x.shape), align_corners=False)
    found = F.grid_sample(exact, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found.to(x.dtype) if x.is_floating_point() else found.round().to(x.dtype)


CHANGES: Mapping[Transform, Change] = {
    Transform.FLIP_PICTURES: flipped,
    Transform.SHIFT_PICTURES: shifted,
    Transform.ROTATE_PICTURES: rotated,
}


@dataclass(frozen=True, kw_only=True)
class Augmented(Split):
    """Training rows whose pictures are changed as an epoch draws them; taken by index they are as they were given."""

    layout: Layout
    changes: tuple[Change, ...]

    def batches(
        self, *, seed: int, epoch: int, batch_size: int | None = None, shuffle: bool | None = None
    ) -> Iterator[Batch]:
        """Yield one epoch; order and changes depend on seed and epoch alone."""
        plain = super().batches(seed=seed, epoch=epoch, batch_size=batch_size, shuffle=shuffle)
        for number, batch in enumerate(plain):
            changed = self.augmented(batch, seed=seed, epoch=epoch, number=number)
            yield pin(changed) if self.pinned else changed

    def augmented(self, batch: Batch, *, seed: int, epoch: int, number: int) -> Batch:
        """Change the pictures of the epoch's batch of that number."""
        generator = torch.Generator().manual_seed(derived(seed, "augmentation", epoch, number))
        given = self.layout.first_input(batch)
        made = given
        for change in self.changes:
            made = change(made, generator)
        return self.layout.map_inputs(batch, lambda x: made if x is given else x)


def augment(workload: Workload, transforms: tuple[Transform, ...]) -> Workload:
    """Let training draw changed pictures. Raises Unsupported where the inputs are none, or the targets move along."""
    wanted = tuple(change for transform, change in CHANGES.items() if transform in transforms)
    if not wanted:
        return workload
    layout = workload.layout
    if layout is None:
        raise Unsupported("inputs cannot be told from targets in this batch")
    batch = workload.train.head(1)
    given, target = layout.first_input(batch), layout.target(batch)
    if given.ndim != 4 or min(given.shape[2:]) < SMALLEST_SIDE:
        raise Unsupported(f"the inputs are no pictures (rows of shape {tuple(given.shape[1:])})")
    if target is not None and not layout.target_is_input and target.ndim > 2:
        raise Unsupported("the targets are pictures too, and would have to be moved with the inputs")
    train = workload.train
    known: dict[str, Any] = {field.name: getattr(train, field.name) for field in fields(Split)}
    return replace(workload, train=Augmented(**known, layout=layout, changes=wanted))


def _places(side: int, rows: int, generator: torch.Generator) -> Tensor:
    """Return for each row which pixel of the given side comes to stand where, (B, side)."""
    most = side // _SHIFT
    moved = torch.randint(-most, most + 1, (rows, 1), generator=generator)
    return (torch.arange(side) + moved).clamp(0, side - 1)
