"""What is padding, and what depends on it? On rows whose lengths are known."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diagnoser.evidence.preflight import PaddingProfile
from diagnoser.training.probes import model as probe_of_model
from diagnoser.trials import Probe, ProbeKind
from tests.helpers.padded import (
    LONGEST,
    PAD,
    Attentive,
    Reader,
    Tagger,
    loaders,
    padded_tensors,
    profile_of,
    sentences,
    tag_loss,
)
from tests.helpers.small_workload import CLASSES, FEATURES, blobs, workload


def padding(data: Any, model: Any, *, whole: bool = False) -> PaddingProfile:
    found = profile_of(data, model, whole=whole).padding
    assert found is not None
    return found


def test_the_share_of_padding_is_counted_in_rows_that_were_padded_beforehand() -> None:
    seen = padding(padded_tensors(), Tagger)
    lengths = [len(text) for text, _ in sentences(160, seed=160)]
    assert (seen.made_by, seen.side, seen.token, seen.declared) == ("data", "right", PAD, True)
    assert seen.share == pytest.approx(1 - sum(lengths) / (160 * LONGEST))
    assert seen.share_by_length < seen.share / 2
    assert (seen.rows, seen.width) == (160, LONGEST)


def test_the_share_of_padding_is_counted_in_batches_that_pad() -> None:
    seen = padding(loaders(), Tagger)
    lengths = torch.tensor([len(text) for text, _ in sentences(160, seed=160)], dtype=torch.float)
    assert (seen.made_by, seen.side, seen.token) == ("batch", "right", PAD)
    assert seen.rows == 160
    assert seen.typical_length == pytest.approx(float(lengths.median()), abs=1)
    assert 0 < seen.share <= 1 - float(lengths.mean()) / LONGEST
    assert seen.share_by_length < seen.share


def test_reading_from_the_left_leaves_padding_on_the_right_out() -> None:
    for data in (loaders(), padded_tensors()):
        seen = padding(data, Tagger)
        assert seen.largest_change == pytest.approx(0, abs=1e-4)
        assert seen.counted_share == 0


def test_reading_from_both_sides_begins_with_padding() -> None:
    for data in (loaders(), padded_tensors()):
        assert (padding(data, lambda: Tagger(both_sides=True)).output_change or 0) > 0.01


def test_a_mask_of_the_padding_is_seen_to_work() -> None:
    bare, masked = (padding(loaders(), lambda m=m: Attentive(masked=m)) for m in (False, True))
    assert (bare.output_change or 0) > 0.1
    assert masked.largest_change == pytest.approx(0, abs=1e-3)


def test_a_mean_over_padding_is_told_from_a_mean_over_words() -> None:
    bare, masked = (padding(loaders(whole=True), lambda m=m: Reader(masked=m), whole=True) for m in (False, True))
    assert (bare.output_change or 0) > 0.3
    assert masked.largest_change == pytest.approx(0, abs=1e-4)
    assert bare.counted_share is None  # one target for a text


def test_padding_that_counts_in_the_loss_is_counted() -> None:
    seen = padding(padded_tensors(tag_padding=3), Tagger)
    beyond_the_first = sum(max(LONGEST - len(text) - 1, 0) for text, _ in sentences(160, seed=160)) / (160 * LONGEST)
    assert seen.counted_share == pytest.approx(beyond_the_first, abs=0.05)  # of 32 rows, and of all
    assert (seen.target_token, seen.target_is_real_too) == (3, True)
    assert (padding(loaders(tag_padding=3), Tagger).counted_share or 0) > 0.1


def test_rows_of_one_length_and_tables_have_no_padding() -> None:
    assert profile_of(loaders(shortest=8, longest=8), Tagger).padding is None
    assert profile_of(padded_tensors(shortest=LONGEST), Tagger).padding is None
    tables = blobs(96, seed=1), blobs(40, seed=2)
    assert profile_of(tables, lambda: nn.Linear(FEATURES, CLASSES), whole=True).padding is None


def test_a_last_token_alone_is_no_padding() -> None:
    def split(rows: int) -> tuple[Tensor, Tensor]:
        ids, tags = (torch.stack(part) for part in zip(*sentences(rows, seed=rows, shortest=9, longest=9), strict=True))
        ids[:, -1] = PAD
        return ids, tags

    assert profile_of((split(160), split(48)), Tagger).padding is None


def test_the_first_position_of_padding_may_stand_for_the_end() -> None:
    def split(rows: int) -> tuple[Tensor, Tensor]:
        ids, tags = (part[rows == 48] for part in zip(*padded_tensors(), strict=True))
        ends = (ids != PAD).sum(dim=1)
        short = ends < LONGEST
        tags[short, ends[short]] = 3
        return ids, tags

    assert padding((split(160), split(48)), Tagger).counted_share == 0


def test_a_model_that_answers_with_its_loss_is_asked_too() -> None:
    class Answering(Tagger):
        def forward(self, ids: Tensor, labels: Tensor) -> Any:  # type: ignore[override]  # as such models are
            logits = super().forward(ids)
            return {"loss": tag_loss(logits, labels), "logits": logits}

    data = tuple([{"ids": ids, "labels": tags} for ids, tags in zip(*part, strict=True)] for part in padded_tensors())
    made = workload(data=data, model=lambda: Answering(both_sides=True), loss=None)
    seen = probe_of_model.measure(made, Probe(probe=ProbeKind.MODEL)).padding
    assert seen is not None
    assert (seen.output_change or 0) > 0.01
    assert seen.counted_share is None


def test_a_model_that_refuses_shorter_rows_leaves_the_question_open() -> None:
    class Fixed(Tagger):
        def __init__(self) -> None:
            super().__init__()
            self.places = nn.Parameter(torch.randn(LONGEST, 8))

        def forward(self, ids: Tensor) -> Tensor:
            answer: Tensor = self.head(self.rnn(self.embed(ids) + self.places)[0])
            return answer

    seen = profile_of(padded_tensors(), Fixed)
    assert seen.padding is not None
    assert seen.padding.output_change is None
    assert any(line.startswith("is padding left out: RuntimeError") for line in seen.unanswered)
