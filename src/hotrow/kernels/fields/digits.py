"""Reading decimal and hexadecimal fields eight characters at a time.

A field is loaded as the 64-bit words that end at its last character; the first character is the
lowest byte. Text is first translated so that a digit's byte is its value, and all other bytes have
their top bit set. The arithmetic on all eight bytes of a word at once is the usual "SIMD within a
register" (D. Lemire, "Quickly parsing eight digits", 2018), done here on whole arrays of words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Positions = NDArray[np.int64]

MAX_DECIMAL_DIGITS = 18
"""Integers of up to this many digits are read; any of them fits 64 bits."""

MAX_HEX_DIGITS = 8

MISSING_KEY = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_TOP_BITS = np.uint64(0x8080_8080_8080_8080)
_OVER_NINE = np.uint64(0x7676_7676_7676_7676)  # a byte of 10..15 plus 0x76 has its top bit set


def _digit_values() -> bytes:
    table = bytearray(b"\x80" * 256)
    for value, digits in enumerate(zip("0123456789abcdef", "0123456789ABCDEF", strict=True)):
        for digit in digits:
            table[ord(digit)] = value
    return bytes(table)


DIGIT_VALUES = _digit_values()
"""Translation table for ``bytes.translate``: digits, hexadecimal ones included, to their values."""


def eight_bytes_at(padded: bytes) -> Words:
    """View a padded block as the little-endian 64-bit word that begins at each byte of it."""
    words: Words = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))
    return words


def read_hex(words: Words, ends: Positions, lengths: Positions) -> tuple[Words, NDArray[np.bool_]]:
    """Read fields of 1 to 8 hexadecimal digits.

    Args:
        words: ``eight_bytes_at`` of the translated block.
        ends: one past the last byte of each field, any shape; fastest when contiguous.
        lengths: its bytes.

    Returns:
        The values, ``MISSING_KEY`` where the field is empty, and which fields are malformed.
    """
    word = _last_digits(words, ends, lengths)
    malformed = (word & _TOP_BITS) != 0
    malformed |= lengths > MAX_HEX_DIGITS
    _combine(word, 16)
    np.copyto(word, MISSING_KEY, where=lengths == 0)
    return word, malformed


def read_integers(
    words: Words, ends: Positions, lengths: Positions, is_negative: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read fields of 1 to 18 decimal digits, after a minus sign where ``is_negative``.

    Args:
        words: ``eight_bytes_at`` of the translated block.
        ends: one past the last byte of each field, any shape; fastest when contiguous.
        lengths: its bytes, the sign included.
        is_negative: whether its first byte is a minus sign.

    Returns:
        The values as float64, NaN where the field is empty, and which fields are malformed.
    """
    whole, malformed = _magnitudes(words, ends, lengths, is_negative)
    value = whole.astype(np.float64)
    np.negative(value, out=value, where=is_negative)
    np.copyto(value, np.nan, where=lengths == 0)
    return value, malformed


def read_int64(
    words: Words, ends: Positions, lengths: Positions, is_negative: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read the same fields without rounding: int64, 0 where the field is empty."""
    value, malformed = _magnitudes(words, ends, lengths, is_negative)
    np.negative(value, out=value, where=is_negative)
    return value, malformed


def _magnitudes(
    words: Words, ends: Positions, lengths: Positions, is_negative: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read digits without their sign; 0 where the field is empty."""
    digits = lengths - is_negative
    word = _last_digits(words, ends, digits)
    malformed = _not_decimal(word)
    malformed |= digits > MAX_DECIMAL_DIGITS
    malformed |= (digits == 0) & is_negative
    _combine(word, 10)
    wide = np.nonzero(digits > 8)
    if wide[0].size:
        for step, weight in ((8, 10**8), (16, 10**16)):
            more = _last_digits(words, ends[wide] - step, np.maximum(digits[wide] - step, 0))
            malformed[wide] |= _not_decimal(more)
            _combine(more, 10)
            word[wide] += more * np.uint64(weight)
    return word.view(np.int64), malformed


def _last_digits(words: Words, ends: Positions, lengths: Positions) -> Words:
    """Load the word that ends at each of ``ends``, with zeros in place of the bytes before the field."""
    word = words[ends - 8]
    unused = np.minimum(lengths, 8)
    np.subtract(8, unused, out=unused)
    unused <<= 3
    word &= _ALL << unused.view(np.uint64)  # a shift by 64 gives 0 in NumPy
    return word


def _not_decimal(word: Words) -> NDArray[np.bool_]:
    # Bytes are 0..15 or 0x80, so adding 0x76 to each never carries into the next.
    over = word + _OVER_NINE
    over |= word
    over &= _TOP_BITS
    return over.astype(np.bool_)


def _combine(word: Words, base: int) -> None:
    """Combine eight digits to a number, in place: neighbours to pairs, pairs to fours, fours to eight.

    Multiplying by ``base * 2**8 + 1`` leaves ``base * first + second`` in every second byte.
    """
    for bits, mask in ((8, 0x00FF_00FF_00FF_00FF), (16, 0x0000_FFFF_0000_FFFF), (32, 0xFFFF_FFFF)):
        word *= np.uint64((base << bits) + 1)
        word >>= np.uint64(bits)
        word &= np.uint64(mask)
        base *= base
