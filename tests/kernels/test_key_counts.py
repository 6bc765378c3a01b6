"""Every backend counts what a dictionary counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.kernels.dispatch import available_backends, record_paths
from hotrow.kernels.key_counts import KeyCounter

BACKENDS = available_backends("key_counts")
KEYS = st.one_of(st.integers(0, 50), st.integers(0, 2**32 - 1), st.sampled_from([0, 2**32 - 1]))


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    parts=st.lists(st.lists(KEYS, max_size=80), max_size=6),
    counted=st.dictionaries(KEYS, st.integers(1, 2**40), max_size=20),
    dtype=st.sampled_from([np.uint32, np.uint64]),
)
def test_counts(backend: Any, parts: list[list[int]], counted: dict[int, int], dtype: type) -> None:
    counter, expected = KeyCounter(backend=backend), Counter(counted)
    counter.add(np.array([*counted], dtype=dtype), np.array([*counted.values()], dtype=np.int64))
    for part in parts:
        counter.add(np.array(part, dtype=dtype))
        expected.update(part)
    keys, counts = counter.sorted()
    assert len(counter) == len(expected)
    assert [str(array.dtype) for array in (keys, counts)] == ["uint64", "int64"]
    assert list(zip(keys.tolist(), counts.tolist(), strict=True)) == sorted(expected.items())


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_keys(backend: Any) -> None:
    keys = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64) // 2**20
    counter = KeyCounter(backend=backend)
    with record_paths() as paths:
        for part in np.array_split(np.concatenate((keys, keys[::2])), 7):
            counter.add(part)
    assert set(paths) == {("key_counts", backend)}
    found, counts = counter.sorted()
    expected, expected_counts = np.unique(np.concatenate((keys, keys[::2])), return_counts=True)
    assert np.array_equal(found, expected)
    assert np.array_equal(counts, expected_counts)


def test_other_keys_are_refused() -> None:
    counter = KeyCounter()
    with pytest.raises(ValueError, match="uint32 or uint64"):
        counter.add(np.array([1], dtype=np.int64))
    with pytest.raises(ValueError, match="all at least 1"):
        counter.add(np.array([1], dtype=np.uint64), np.array([0]))
