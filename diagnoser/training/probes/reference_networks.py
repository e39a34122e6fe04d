"""Which small network is known to work on inputs of this kind? One for tables, pictures, series and texts.

Legend: (B, F) a table, (B, C, H, W) pictures, (B, T, F) series, (B, T) token ids, V tokens, O outputs.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from diagnoser.training.probes.rows import Array

Kind = Literal["perceptron", "convolution", "recurrent", "bag_of_embeddings", "transformer"]

WIDTH = 64
CHANNELS = (8, 16, 32)
SMALL = 16  # pixels a side: smaller pictures keep their size in the first convolution
LARGEST_SIDE = 32  # pixels; larger pictures are averaged down to it
LONGEST = 128  # steps of a series or text; a longer one is taken for a table, a longer text is cut
CHANNEL_COUNTS = (1, 3, 4)
KERNEL = 3
TEXT_WIDTH, HEADS = 32, 4  # of the transformer, the dearest of them by far


def kind_of(first: Array, *, inputs: int, vocabulary: int | None) -> Kind:
    """The architecture for rows whose first input looks like this; `vocabulary` says that they are token ids."""
    if inputs > 1:
        return "perceptron"  # all of them side by side
    if vocabulary is not None:
        return "bag_of_embeddings"
    if first.ndim == 4 and min(first.shape[1:3] if _channels_last(first.shape) else first.shape[2:]) >= KERNEL:
        return "convolution"
    if first.ndim == 3 and first.shape[1] <= LONGEST:
        return "recurrent"
    return "perceptron"


def build(kind: Kind, inputs: Tensor, *, outputs: int, vocabulary: int = 0) -> nn.Module:
    """A fresh network for inputs like these."""
    if kind == "convolution":
        return _initialised(Convolution(inputs.shape[1], outputs, strides=_strides(inputs)))
    if kind == "recurrent":
        return _initialised(Recurrent(inputs.shape[2], outputs))
    if kind == "bag_of_embeddings":
        return _initialised(BagOfEmbeddings(vocabulary, outputs))
    if kind == "transformer":
        return CausalTransformer(vocabulary, inputs.shape[1])
    return _initialised(
        nn.Sequential(
            nn.Linear(inputs.shape[1], WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, outputs)
        )
    )


class Convolution(nn.Module):
    """Three convolutions with BatchNorm and ReLU, two of them with stride 2; the means of the picture's quarters."""

    def __init__(self, channels: int, outputs: int, *, strides: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for wide, stride in zip(CHANNELS, strides, strict=True):
            layers += [
                nn.Conv2d(channels, wide, KERNEL, stride, padding=1, bias=False),
                nn.BatchNorm2d(wide),
                nn.ReLU(),
            ]
            channels = wide
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(4 * channels, outputs)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = functional.adaptive_avg_pool2d(self.body(pictures), 2)
        scores: Tensor = self.head(maps.flatten(1))
        return scores


class Recurrent(nn.Module):
    """A GRU; its last state and the mean over time."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.gru = nn.GRU(features, WIDTH, batch_first=True)
        self.head = nn.Linear(2 * WIDTH, outputs)

    def forward(self, series: Tensor) -> Tensor:
        states, last = self.gru(series)
        scores: Tensor = self.head(torch.cat((last[0], states.mean(1)), 1))
        return scores


class BagOfEmbeddings(nn.Module):
    """Tokens and pairs of neighbours, their mean and their maximum, and a hidden layer."""

    def __init__(self, vocabulary: int, outputs: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, WIDTH)
        self.pairs = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.head = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, outputs))

    def forward(self, ids: Tensor) -> Tensor:
        hidden = functional.relu(self.pairs(self.tokens(ids).transpose(1, 2)))  # (B, WIDTH, T)
        scores: Tensor = self.head(torch.cat((hidden.mean(2), hidden.amax(2)), 1))
        return scores


class CausalTransformer(nn.Module):
    """One pre-norm block with learned positions; the loss of an untrained one is that of a guess."""

    def __init__(self, vocabulary: int, length: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, TEXT_WIDTH), nn.Embedding(length, TEXT_WIDTH)
        self.block = nn.TransformerEncoderLayer(
            TEXT_WIDTH, HEADS, 2 * TEXT_WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.norm, self.head = nn.LayerNorm(TEXT_WIDTH), nn.Linear(TEXT_WIDTH, vocabulary)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        mask = torch.full((length, length), float("-inf")).triu(1)
        self.register_buffer("mask", mask)

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        hidden = self.tokens(ids) + self.places.weight[:length]  # (B, T, TEXT_WIDTH)
        mask = self.mask[:length, :length]  # type: ignore[index]  # a buffer is a tensor
        scores: Tensor = self.head(self.norm(self.block(hidden, src_mask=mask)))
        return scores  # (B, T, V)


def multiplications(kind: Kind, inputs: Tensor, *, outputs: int, vocabulary: int = 0) -> float:
    """Of one row on its way forward, roughly."""
    if kind == "convolution":
        place, before, total = float(inputs[0, 0].numel()), inputs.shape[1], 0.0
        for wide, stride in zip(CHANNELS, _strides(inputs), strict=True):
            place /= stride**2
            total += 9 * before * wide * place
            before = wide
        return total
    steps = inputs.shape[1] if inputs.ndim > 1 else 1
    if kind == "recurrent":
        return 3.0 * steps * WIDTH * (inputs.shape[2] + WIDTH)
    if kind == "bag_of_embeddings":
        return 3.0 * steps * WIDTH**2
    if kind == "transformer":
        return float(steps * TEXT_WIDTH * (8 * TEXT_WIDTH + 2 * steps + vocabulary))
    return float(WIDTH * (steps + WIDTH + outputs))


def _strides(inputs: Tensor) -> tuple[int, ...]:
    return (1, 2, 2) if max(inputs.shape[2:]) <= SMALL else (2, 1, 2)


def pictures(first: Array) -> Tensor:
    """(B, C, H, W), no side above LARGEST_SIDE; channels that come last are put first."""
    tensor = torch.from_numpy(first).float()
    if _channels_last(first.shape):
        tensor = tensor.permute(0, 3, 1, 2)
    side = max(tensor.shape[2:])
    if side <= LARGEST_SIDE:
        return tensor.contiguous()
    high, wide = (max(1, round(LARGEST_SIDE * one / side)) for one in tensor.shape[2:])
    return functional.adaptive_avg_pool2d(tensor, (high, wide))


def _channels_last(shape: tuple[int, ...]) -> bool:
    return shape[1] not in CHANNEL_COUNTS and shape[3] in CHANNEL_COUNTS


def _initialised(network: nn.Module) -> nn.Module:
    """Kaiming in front of ReLU, and a last layer that starts near zero: the first loss is that of a guess."""
    layers = [module for module in network.modules() if isinstance(module, (nn.Linear, nn.Conv2d, nn.Conv1d))]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    nn.init.normal_(layers[-1].weight, std=0.01)
    return network
