"""The reader that lookups are measured against reads every byte of the rows asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.kernels import _compiled

if TYPE_CHECKING:
    from torch import Tensor

pytestmark = pytest.mark.skipif(_compiled.load() is None, reason="the compiled kernels are not installed")


def read(table: Tensor, ids: list[int], *, ahead: int = 8, threads: int = 1) -> int:
    rows, row_bytes = table.shape
    total: int = _compiled.require().read_random_rows(
        table.data_ptr(), rows, row_bytes, torch.tensor(ids, dtype=torch.int64), ahead, threads
    )
    return total


def expected(table: Tensor, ids: list[int]) -> int:
    padded = np.pad(table.numpy()[ids], ((0, 0), (0, -table.shape[1] % 8)))
    return sum(int(word) for word in padded.view(np.uint64).ravel()) % 2**64


@given(
    rows=st.integers(1, 40),
    row_bytes=st.integers(1, 200),
    ahead=st.sampled_from([0, 1, 8, 64]),
    threads=st.integers(1, 3),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_sum_of_all_words(rows: int, row_bytes: int, ahead: int, threads: int, data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(0, rows - 1), min_size=1, max_size=50))
    table = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (rows, row_bytes), np.uint8))
    assert read(table, ids, ahead=ahead, threads=threads) == expected(table, ids)


def test_no_ids_read_nothing() -> None:
    assert read(torch.ones(3, 8, dtype=torch.uint8), [], threads=2) == 0


@pytest.mark.parametrize("bad", [-1, 3])
def test_an_id_outside_is_refused(bad: int) -> None:
    with pytest.raises(IndexError, match="outside the rows"):
        read(torch.ones(3, 8, dtype=torch.uint8), [0, bad])
