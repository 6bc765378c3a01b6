from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.keys import MAX_INTEGER, MIN_INTEGER, bytes_keys, integer_keys, key_integers, text_keys
from hotrow.data.raw import MISSING_KEY

WRAP = 2**64 - 1
KNOWN = ["e220a8397b1dcdaf", "dc87e811157dd705", "852e9708853baa10", "7b864618533a55f1", "6f29191263d2ae2f"]


def mix64(value: int) -> int:
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & WRAP
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & WRAP
    return value ^ (value >> 31)


def reference(text: bytes) -> int:
    """Hash one text the plain way."""
    golden = 0x9E3779B97F4A7C15
    state = mix64(len(text) + golden & WRAP)
    for start in range(0, len(text), 8):
        word = int.from_bytes(text[start : start + 8].ljust(8, b"\0"), "little")
        state = mix64(state ^ word) + golden & WRAP
    return min(state, int(MISSING_KEY) - 1)


@given(texts=st.lists(st.text(max_size=40), max_size=20))
def test_text_keys_are_those_of_the_reference(texts: list[str]) -> None:
    expected = [reference(text.encode()) for text in texts]
    assert text_keys(texts).tolist() == expected


def test_known_keys_of_texts_never_change() -> None:
    """Artifacts hold vocabularies of these keys."""
    found = [
        f"{key:016x}" for key in text_keys(["", "a", "Sci-Fi", "Children's", "caf\xe9 au lait"]).tolist()
    ]
    assert found == KNOWN


def test_texts_that_differ_in_trailing_zeros_or_order_have_different_keys() -> None:
    texts = ["", "\0", "\0\0", "a", "a\0", "12345678", "12345678\0", "1234567812345678", "8765432112345678"]
    assert len(set(text_keys(texts).tolist())) == len(texts)


def test_keys_of_many_texts_are_all_different_and_spread() -> None:
    keys = text_keys([f"user-{number}" for number in range(200_000)])
    assert len(np.unique(keys)) == len(keys)
    ones = np.unpackbits(keys.view(np.uint8).reshape(-1, 8), axis=1).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 0.01


def test_texts_may_lie_anywhere_and_overlap() -> None:
    data = np.frombuffer(b"abcdefghijkl", dtype=np.uint8)
    starts, lengths = np.array([4, 0, 3, 11]), np.array([8, 12, 1, 1])
    expected = text_keys(["efghijkl", "abcdefghijkl", "d", "l"])
    assert np.array_equal(bytes_keys(data, starts, lengths), expected)


@given(values=st.lists(st.integers(MIN_INTEGER, MAX_INTEGER), max_size=20))
def test_integer_keys_keep_the_order_and_are_never_missing(values: list[int]) -> None:
    found = integer_keys(np.array(values, dtype=np.int64))
    assert key_integers(found).tolist() == values
    keys = found.tolist()
    assert keys == [value + 2**63 for value in values]
    assert int(MISSING_KEY) not in keys


def test_the_integer_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match=f"got {MAX_INTEGER + 1}, expected at most {MAX_INTEGER}"):
        integer_keys(np.array([1, MAX_INTEGER + 1]))
