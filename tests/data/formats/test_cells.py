from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotrow.data._lines import LEFT_PAD, RIGHT_PAD
from hotrow.data.formats._cells import Cells, read_cells

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def numbers(texts: list[str]) -> list[float | None]:
    """Read cells; None for malformed ones."""
    lengths = np.array([len(text.encode()) for text in texts], dtype=np.int64)
    ends = np.cumsum(lengths) + len(LEFT_PAD)
    cells = Cells.of(LEFT_PAD + "".join(texts).encode() + RIGHT_PAD)
    values, is_wrong = read_cells(cells, ends - lengths, ends, "number")
    return [None if wrong else value for value, wrong in zip(values.tolist(), is_wrong.tolist(), strict=True)]


def expected(text: str) -> float | None:
    if not text:
        return float("nan")
    if not NUMBER.fullmatch(text) or not np.isfinite(float(text)):
        return None
    return float(text)


ODD = [
    "-",
    ".",
    "-.",
    "1.",
    ".5",
    "-.5",
    "+1.5",
    "1..2",
    "1.2.3",
    "1-2",
    "--1",
    "1.5\0",
    "1\0.5",
    "1,5",
    " 1.5",
]


@given(
    texts=st.lists(
        st.text("0123456789", max_size=20)
        | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
        | st.floats(allow_nan=False, allow_infinity=False).map(repr)
        | st.text("0123456789.-+e\0", max_size=20)
        | st.sampled_from(ODD),
        min_size=1,
        max_size=8,
    )
)
@example(ODD)
@example(
    ["0.1", "-0.0", "123456789012345.6", "999999999999.999", "9007199254740.993", "1e22", "0.000000000000001"]
)
def test_numbers_are_what_python_reads(texts: list[str]) -> None:
    texts = [text for text in texts if len(text) <= 40]
    assert repr(numbers(texts)) == repr([expected(text) for text in texts])


@pytest.mark.parametrize("text", ["1" * 41, "0." + "1" * 40])
def test_longer_cells_are_no_numbers(text: str) -> None:
    assert numbers([text]) == [None]
