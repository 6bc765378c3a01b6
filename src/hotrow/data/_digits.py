"""Reading decimal and hexadecimal fields eight characters at a time.

A field is loaded as the 64-bit words that end at its last character; the first character is the
lowest byte. Text is first translated so that a digit's byte is its value, and all other bytes have
their top bit set. The arithmetic on all eight bytes of a word at once is the usual "SIMD within a
register" (D. Lemire, "Quickly parsing eight digits", 2018), done here on whole arrays of words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotrow.data.raw import MISSING_KEY

Words = NDArray[np.uint64]

MAX_DECIMAL_DIGITS = 18
"""Integers of up to this many digits are read; any of them fits 64 bits."""

MAX_HEX_DIGITS = 8

_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_TOP_BITS = np.uint64(0x8080_8080_8080_8080)
_OVER_NINE = np.uint64(0x7676_7676_7676_7676)  # a byte of 10..15 plus 0x76 has its top bit set
_MINUS = ord("-")


def _digit_values() -> bytes:
    table = bytearray(b"\x80" * 256)
    for value, digits in enumerate(zip("0123456789abcdef", "0123456789ABCDEF", strict=True)):
        for digit in digits:
            table[ord(digit)] = value
    return bytes(table)


DIGIT_VALUES = _digit_values()
"""Translation table for ``bytes.translate``: digits, hexadecimal ones included, to their values."""


def read_hex(
    words: Words, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[Words, NDArray[np.bool_]]:
    """Read fields of 1 to 8 hexadecimal digits.

    Args:
        words: ``eight_bytes_at`` of the translated block.
        starts: first byte of each field, any shape.
        ends: one past its last byte.

    Returns:
        The values, ``MISSING_KEY`` where the field is empty, and which fields are malformed.
    """
    lengths = ends - starts
    word = _last_characters(words, ends, lengths)
    malformed = (word & _TOP_BITS) != 0
    malformed |= lengths > MAX_HEX_DIGITS
    value = _combine(word, 16)
    value[lengths == 0] = MISSING_KEY
    return value, malformed


def read_integers(
    padded: NDArray[np.uint8], words: Words, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read fields of an optional minus sign and 1 to 18 decimal digits.

    Args:
        padded: the block's text.
        words: ``eight_bytes_at`` of the translated block.
        starts: first byte of each field, any shape.
        ends: one past its last byte.

    Returns:
        The values as float64, NaN where the field is empty, and which fields are malformed.
    """
    empty = ends == starts
    negative = (padded[starts] == _MINUS) & ~empty
    lengths = ends - starts - negative
    word = _last_characters(words, ends, lengths)
    malformed = _not_decimal(word)
    malformed |= (lengths == 0) & negative
    malformed |= lengths > MAX_DECIMAL_DIGITS
    total = _combine(word, 10).astype(np.int64)
    wide = np.nonzero(lengths > 8)
    if wide[0].size:
        wide_ends, wide_lengths = ends[wide], lengths[wide]
        for step, weight in ((8, 10**8), (16, 10**16)):
            word = _last_characters(words, wide_ends - step, np.clip(wide_lengths - step, 0, 8))
            malformed[wide] |= _not_decimal(word)
            total[wide] += _combine(word, 10).astype(np.int64) * weight
    value = total.astype(np.float64)
    np.negative(value, out=value, where=negative)
    value[empty] = np.nan
    return value, malformed


def _last_characters(words: Words, ends: NDArray[np.int64], lengths: NDArray[np.int64]) -> Words:
    """Load the word that ends at ``ends``, with zeros in place of the bytes before the field."""
    word = words[ends - 8]
    unused = 8 - np.minimum(lengths, 8)
    if (unused & 7).any():
        word &= _ALL << (unused << 3).astype(np.uint64)  # a shift by 64 gives 0 in NumPy
    else:
        word[unused == 8] = 0
    return word


def _not_decimal(word: Words) -> NDArray[np.bool_]:
    # Bytes are 0..15 or 0x80, so adding 0x76 to each never carries into the next.
    over: NDArray[np.bool_] = (((word + _OVER_NINE) | word) & _TOP_BITS) != 0
    return over


def _combine(word: Words, base: int) -> Words:
    """Combine eight digits to a number: neighbours to pairs, pairs to fours, fours to eight.

    Multiplying by ``base * 2**8 + 1`` leaves ``base * first + second`` in every second byte.
    """
    value = word.copy()
    for bits, mask in ((8, 0x00FF_00FF_00FF_00FF), (16, 0x0000_FFFF_0000_FFFF), (32, 0xFFFF_FFFF)):
        value *= np.uint64((base << bits) + 1)
        value >>= np.uint64(bits)
        value &= np.uint64(mask)
        base *= base
    return value
