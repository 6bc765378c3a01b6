from __future__ import annotations

import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.hashing import hash_rows, hash_salt, mix64

GOLDEN = 0x9E3779B97F4A7C15
MASK = 2**64 - 1


def reference(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def test_mix64_is_splitmix64() -> None:
    # First outputs of the published generator seeded with 1234567.
    states = np.array([(1234567 + (n + 1) * GOLDEN) & MASK for n in range(5)], dtype=np.uint64)
    assert mix64(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(
    keys=st.lists(st.integers(0, MASK), min_size=1, max_size=50),
    rows=st.integers(3, 2**31 - 1),
    name=st.text(min_size=1, max_size=5),
)
def test_rows_follow_the_documented_formula(keys: list[int], rows: int, name: str) -> None:
    found = hash_rows(np.array(keys, dtype=np.uint64), salt=hash_salt(name), rows=rows)
    salt = (zlib.crc32(name.encode()) * GOLDEN) & MASK
    assert found.dtype == np.int32
    assert found.tolist() == [2 + reference((key + salt) & MASK) % (rows - 2) for key in keys]


def test_features_hash_differently_and_evenly() -> None:
    keys = np.arange(100_000, dtype=np.uint64)
    first, second = (hash_rows(keys, salt=hash_salt(name), rows=102) for name in ("C1", "C2"))
    assert (first == second).mean() < 0.02
    counts = np.bincount(first, minlength=102)
    assert counts[:2].sum() == 0
    assert 800 < counts[2:].min() <= counts.max() < 1200
