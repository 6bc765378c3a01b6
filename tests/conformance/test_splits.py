"""A row's logits have the same bits however the rows of a call are split, and on any number of threads."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import get_args

import pytest
import torch
from tests.conformance.batches import make_batch, take
from tests.conformance.building import logits_of, networks_in, served
from tests.conformance.cases import Case

from hotrow.layers.inference import Precision, can_compute
from hotrow.models import RankingModel

ROWS = 300
SIZES = (*range(1, 18), 25, 31, 33, 63, 64, 65, 100, 127, 129, 255, 270, 299)


def parts(sizes: tuple[int, ...]) -> Iterator[range]:
    """Yield a part of each size, anywhere."""
    draw = random.Random(0)
    for size in sizes:
        first = draw.randrange(ROWS - size + 1)
        yield range(first, first + size)


@pytest.mark.parametrize("precision", get_args(Precision))
def test_same_bits_whatever_the_split(case: Case, fitted: RankingModel, precision: Precision) -> None:
    if not can_compute(precision):
        pytest.skip(f"this processor has no kernels for {precision}")
    model = served(case, fitted, networks_in(precision, case, fitted))
    batch = make_batch(case.inputs, ROWS)
    whole = logits_of(model, batch)
    for threads, sizes in ((1, SIZES if precision == "fp32" else SIZES[::3]), (2, (1, 2, 100)), (3, (299,))):
        torch.set_num_threads(threads)
        for part in parts(sizes):
            assert torch.equal(logits_of(model, take(batch, part)), whole[part.start : part.stop]), part


def test_parts_put_together(case: Case, fitted: RankingModel) -> None:
    model, batch = served(case, fitted), make_batch(case.inputs, 61)
    borders = [0, 1, 2, 18, 25, 56, 61]
    apart = [logits_of(model, take(batch, range(*pair))) for pair in pairwise(borders)]
    assert torch.equal(torch.cat(apart), logits_of(model, batch))


def test_layers_for_inference_give_the_same_logits_but_for_rounding(case: Case, fitted: RankingModel) -> None:
    model, batch = served(case, fitted), make_batch(case.inputs, 50)
    torch.testing.assert_close(logits_of(model, batch), logits_of(fitted, batch))


@pytest.mark.parametrize("rows", [0, 1])
def test_takes_few_rows(case: Case, fitted: RankingModel, rows: int) -> None:
    batch = make_batch(case.inputs, rows)
    assert logits_of(served(case, fitted), batch).shape == logits_of(fitted, batch).shape
