from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.lists import encoded_lists, values_of

from hotrow.data.jagged import to_jagged


@given(
    st.data(),
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
    st.lists(st.booleans(), min_size=1, max_size=3),
)
def test_bags_come_feature_by_feature(data: st.DataObject, sizes: list[int], weighted: list[bool]) -> None:
    runs = [
        tuple(data.draw(encoded_lists(size, weighted=is_weighted)) for is_weighted in weighted)
        for size in sizes
    ]
    jagged = to_jagged(runs)
    expected = [row for m in range(len(weighted)) for run in runs for row in values_of(run[m])]
    assert (jagged.ids.dtype, jagged.offsets.dtype) == (torch.int32, torch.int64)
    assert (jagged.weights is not None) == any(weighted)
    weights = torch.ones(len(jagged.ids)) if jagged.weights is None else jagged.weights
    pairs = list(zip(jagged.ids.tolist(), weights.tolist(), strict=True))
    borders = jagged.offsets.tolist()
    assert [pairs[start:end] for start, end in pairwise(borders)] == expected
    assert jagged.ids.data_ptr() % 64 == 0
