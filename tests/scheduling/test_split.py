from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.split import count_pieces, piece_sizes, split


@given(rows=st.integers(0, 3000), batch=st.integers(1, 1500))
def test_pieces_are_numpys_equal_parts(rows: int, batch: int) -> None:
    count = -(-rows // batch)
    assert count_pieces(rows, batch) == count
    parts = np.array_split(np.arange(rows), count) if count else []
    assert [np.arange(rows)[piece].tolist() for piece in split(rows, batch)] == [p.tolist() for p in parts]
    assert piece_sizes(rows, batch) == [part.size for part in parts]
    assert all(0 < size <= batch for size in piece_sizes(rows, batch))


@pytest.mark.parametrize(("rows", "batch"), [(-1, 1), (1, 0)])
def test_impossible_splits_are_refused(rows: int, batch: int) -> None:
    with pytest.raises(ValueError, match="expected at least"):
        piece_sizes(rows, batch)
