"""Raw values to 64-bit keys: whole numbers and text.

A whole number's key is its two's complement with the sign bit flipped, so keys are ordered as numbers are.
A text's key is a hash of its UTF-8 bytes: they are cut into 64-bit little-endian words, the last one filled
with zeros, and mixed in one after another,

    state = mix64(length + GOLDEN)
    state = mix64(state ^ word) + GOLDEN     for each word

with ``mix64`` of ``hotrow.data.hashing`` and 64-bit wrap-around. Every step is a bijection of state and of
word, so two texts of at most 8 bytes and equal length never collide; for others the chance is that of
random 64-bit numbers: 3e-6 for 10 million different texts of one feature. It is no cryptographic hash.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hotrow.data.hashing import mix64
from hotrow.data.raw import MISSING_KEY

MAX_INTEGER = 2**63 - 2
"""Largest whole number that has a key: the next one's would be ``MISSING_KEY``."""

MIN_INTEGER = -(2**63)

_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_SIGN = np.uint64(1 << 63)
_WORD_BYTES = 8


def integer_keys(values: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the keys of whole numbers, of any shape.

    Raises:
        ValueError: a number is above ``MAX_INTEGER``.
    """
    if values.size and int(values.max()) > MAX_INTEGER:
        raise ValueError(f"integer keys: got {values.max()}, expected at most {MAX_INTEGER}")
    return values.astype(np.int64).view(np.uint64) ^ _SIGN


def key_integers(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the whole numbers whose keys these are; of other keys, different numbers."""
    return (keys ^ _SIGN).view(np.int64)


def text_keys(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Return the keys of texts, (n,)."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
    data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return bytes_keys(data, np.cumsum(lengths) - lengths, lengths)


def bytes_keys(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return the keys of texts given as places in a buffer of their UTF-8 bytes.

    Args:
        data: the buffer.
        starts: (n,) first byte of each text.
        lengths: (n,) its bytes.

    Returns:
        (n,) uint64; a hash that would be ``MISSING_KEY`` is the one below it instead.
    """
    words = _words(data)
    state = mix64(lengths.astype(np.uint64) + _GOLDEN)
    active = np.flatnonzero(lengths > 0)
    done = 0
    while active.size:
        word = words[starts[active] + done]
        left = np.minimum(lengths[active] - done, _WORD_BYTES)
        unused_bits = ((_WORD_BYTES - left) * 8).astype(np.uint64)
        word &= ~np.uint64(0) >> unused_bits
        state[active] = mix64(state[active] ^ word) + _GOLDEN
        done += _WORD_BYTES
        active = active[lengths[active] > done]
    return np.minimum(state, MISSING_KEY - np.uint64(1))


def _words(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """View the little-endian 64-bit word that begins at each byte; zeros follow the last byte."""
    padded = np.concatenate((data, np.zeros(_WORD_BYTES, dtype=np.uint8)))
    words: NDArray[np.uint64] = np.ndarray((len(data) + 1,), "<u8", padded, strides=(1,))
    return words
