"""Rows of different lengths, the models that read them, and what leaves the padding out or does not."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from diagnoser.evidence.preflight import ModelProfile
from diagnoser.spec.fields import Task
from diagnoser.training.probes import model as probe_of_model
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.small_workload import workload

PAD, WORDS, TAGS, IGNORE = 0, 20, 4, -100
LONGEST = 14

Row = tuple[Tensor, Tensor]


def sentences(rows: int, *, seed: int, shortest: int = 3, longest: int = LONGEST) -> list[Row]:
    """Words 1 to 19, a tag for each."""
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(shortest, longest + 1, (rows,), generator=draw).tolist()
    texts = [torch.randint(1, WORDS, (length,), generator=draw) for length in lengths]
    return [(text, text % TAGS) for text in texts]


def loaders(*, tag_padding: int = IGNORE, whole: bool = False, **settings: Any) -> Any:
    """Two loaders that pad each batch to its longest row; `whole`: one class for a text."""

    def collate(rows: list[Row]) -> Row:
        texts, tags = zip(*rows, strict=True)
        ids = nn.utils.rnn.pad_sequence(list(texts), batch_first=True, padding_value=PAD)
        if whole:
            return ids, torch.stack([tag[0] for tag in tags])
        return ids, nn.utils.rnn.pad_sequence(list(tags), batch_first=True, padding_value=tag_padding)

    return tuple(
        DataLoader(sentences(rows, seed=rows, **settings), batch_size=16, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]  # a list is a data set
        for rows in (160, 48)
    )


def padded_tensors(*, tag_padding: int = IGNORE, **settings: Any) -> Any:
    """The same, padded beforehand to one length."""

    def split(rows: int) -> Row:
        ids, tags = torch.full((rows, LONGEST), PAD), torch.full((rows, LONGEST), tag_padding)
        for row, (text, tag) in enumerate(sentences(rows, seed=rows, **settings)):
            ids[row, : len(text)], tags[row, : len(text)] = text, tag
        return ids, tags

    return split(160), split(48)


class Tagger(nn.Module):
    """Reads from the left, so that padding on the right comes too late to matter; from both sides it does not."""

    def __init__(self, *, both_sides: bool = False, declared: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, 8, padding_idx=PAD if declared else None)
        self.rnn = nn.GRU(8, 12, batch_first=True, bidirectional=both_sides)
        self.head = nn.Linear(24 if both_sides else 12, TAGS)

    def forward(self, ids: Tensor) -> Tensor:
        answer: Tensor = self.head(self.rnn(self.embed(ids))[0])
        return answer


class Reader(nn.Module):
    """One class for a text: the mean over its words, or over its padding as well."""

    def __init__(self, *, masked: bool) -> None:
        super().__init__()
        self.embed, self.head, self.masked = nn.Embedding(WORDS, 8, padding_idx=PAD), nn.Linear(8, TAGS), masked

    def forward(self, ids: Tensor) -> Tensor:
        real = (ids != PAD).float()[..., None]
        words = self.embed(ids)
        mean = (words * real).sum(1) / real.sum(1) if self.masked else words.mean(1)
        answer: Tensor = self.head(mean)
        return answer


class Attentive(nn.Module):
    """A transformer that tags each word, with or without a mask of its padding."""

    def __init__(self, *, masked: bool) -> None:
        super().__init__()
        self.embed, self.masked = nn.Embedding(WORDS, 16), masked
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(16, TAGS)

    def forward(self, ids: Tensor) -> Tensor:
        mask = ids == PAD if self.masked else None
        answer: Tensor = self.head(self.layer(self.embed(ids), src_key_padding_mask=mask))
        return answer


def tag_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """Cross-entropy of each word; -100 does not count."""
    return F.cross_entropy(logits.transpose(1, 2), tags)


def profile_of(data: Any, model: Any, *, whole: bool = False) -> ModelProfile:
    """Measure a model on such rows."""
    loss: dict[str, Any] = {} if whole else {"loss": None, "step": tag_step}
    made = workload(data=data, model=model, task=Task.CLASSIFICATION, **loss)
    return probe_of_model.measure(made, Probe(probe=ProbeKind.MODEL))


def tag_step(model: nn.Module, batch: Row) -> Tensor:
    """The same loss, as a step."""
    ids, tags = batch
    return tag_loss(model(ids), tags)
