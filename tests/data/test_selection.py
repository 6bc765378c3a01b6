from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data._selection import nth_smallest


@given(
    numbers=st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5) | st.just(2**48), min_size=1, max_size=60),
    data=st.data(),
)
def test_is_what_sorting_finds(numbers: list[int], data: st.DataObject) -> None:
    rank = data.draw(st.integers(0, len(numbers) - 1))
    cut = data.draw(st.integers(0, len(numbers)))
    parts = [np.array(numbers[:cut], dtype=np.uint64), np.array(numbers[cut:], dtype=np.uint64)]
    number, before = nth_smallest(lambda: parts, rank)
    assert number == sorted(numbers)[rank]
    assert before == rank - sum(each < number for each in numbers)
