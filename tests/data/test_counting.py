from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data import counting
from hotrow.data.counting import count_keys
from hotrow.kernels.key_counts import KeyCounter

KEYS = st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1), st.sampled_from([0, 2**32 - 1]))


@given(
    parts=st.lists(st.lists(KEYS, max_size=60), max_size=8),
    min_count=st.integers(1, 4),
    max_distinct=st.integers(2, 30),
    dtype=st.sampled_from([np.uint32, np.uint64]),
)
def test_counts_equal_a_plain_counter(
    parts: list[list[int]], min_count: int, max_distinct: int, dtype: type
) -> None:
    arrays: list[np.ndarray] = [np.array(part, dtype=dtype) for part in parts]
    found = count_keys(lambda: iter(arrays), min_count=min_count, max_distinct=max_distinct)
    counter = Counter(key for part in parts for key in part)
    expected = sorted(
        ((key, count) for key, count in counter.items() if count >= min_count),
        key=lambda entry: (-entry[1], entry[0]),
    )
    assert list(zip(found.keys.tolist(), found.counts.tolist(), strict=True)) == expected
    assert (found.distinct, found.total) == (len(counter), counter.total())
    assert [str(array.dtype) for array in (found.keys, found.counts)] == ["uint64", "int64"]


@pytest.mark.parametrize("max_distinct", [50, 500, 5000])
def test_few_keys_are_held_at_once(max_distinct: int, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []

    class Watched(KeyCounter):
        def add(self, keys: Any, counts: Any = None) -> None:
            super().add(keys, counts)
            held.append(len(self))

    monkeypatch.setattr(counting, "KeyCounter", Watched)
    keys = np.random.default_rng(0).integers(0, 2**32, 2000).astype(np.uint32)
    found = count_keys(lambda: np.array_split(keys, 100), min_count=1, max_distinct=max_distinct)
    assert max(held) <= max_distinct + 20
    assert np.array_equal(found.keys, np.unique(keys))
