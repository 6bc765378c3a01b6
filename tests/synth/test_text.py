"""Rows as text."""

from __future__ import annotations

import numpy as np
import pytest

from hotrow.synth.criteo_tables import IDS, INTEGERS
from hotrow.synth.hashing import scramble_ids
from hotrow.synth.rows import MISSING_LEVEL, RowChunk, draw_rows
from hotrow.synth.text import RowFormatter


@pytest.fixture(scope="module")
def formatter() -> RowFormatter:
    return RowFormatter()


def test_every_cell_is_what_was_drawn(formatter: RowFormatter) -> None:
    rows = draw_rows(1, 0).rows(0, 500)
    clicks = rows.coins < 0.3
    lines = formatter(rows, clicks).tobytes().decode("ascii").split("\n")
    assert lines.pop() == ""
    assert len(lines) == 500
    integers = [law.quantiles().tolist() for law in INTEGERS.values()]
    for row, line in enumerate(lines):
        label, *cells = line.split("\t")
        assert label == str(int(clicks[row]))
        levels = rows.levels[:, row].tolist()
        wanted = [
            "" if level == MISSING_LEVEL else str(values[level])
            for level, values in zip(levels, integers, strict=True)
        ]
        for feature, (rank, law) in enumerate(zip(rows.ranks[:, row], IDS.values(), strict=True)):
            known = scramble_ids(feature, np.array([rank], dtype=np.int32))[0]
            wanted.append("" if rank == law.rows else f"{known:08x}")
        assert cells == wanted


def test_negative_and_long_integers(formatter: RowFormatter) -> None:
    levels = np.full((len(INTEGERS), 2), MISSING_LEVEL, dtype=np.int32)
    levels[1, 0], levels[4, 0] = 0, MISSING_LEVEL - 1
    ranks = np.array([[law.rows] * 2 for law in IDS.values()], dtype=np.int32)
    rows = RowChunk(levels, ranks, np.zeros(2))
    first, second, end = formatter(rows, np.array([True, False])).tobytes().decode().split("\n")
    longest = str(INTEGERS["I5"].quantiles()[-1])
    assert len(longest) == 7
    assert first == "1\t\t-2\t\t\t" + longest + "\t" * 34
    assert second == "0" + "\t" * 39
    assert end == ""
