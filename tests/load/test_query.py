from __future__ import annotations

import numpy as np
import pytest

from hotrow.load.query import draw_rows, generator_of


def test_a_querys_numbers_are_its_own() -> None:
    draws = {
        (seed, number): tuple(generator_of(seed, number).integers(0, 1 << 30, 4))
        for seed in range(3)
        for number in range(20)
    }
    assert len(set(draws.values())) == len(draws)
    assert tuple(generator_of(1, 7).integers(0, 1 << 30, 4)) == draws[1, 7]


def test_rows_are_different_ones() -> None:
    rows = draw_rows(generator_of(0, 0), 1000, 900)
    assert len(np.unique(rows)) == 900
    assert ((rows >= 0) & (rows < 1000)).all()


def test_of_few_rows_each_is_taken_about_as_often() -> None:
    rows = draw_rows(generator_of(0, 0), 4, 10)
    assert len(rows) == 10
    assert set(np.bincount(rows, minlength=4).tolist()) == {2, 3}


def test_all_rows_are_as_likely() -> None:
    """No leading rows: over many queries every row comes as often as it should."""
    counts = np.zeros(100)
    for number in range(4000):
        counts[draw_rows(generator_of(3, number), 100, 10)] += 1
    # Of 4000 queries each holds a row with probability 0.1; draws without replacement vary a little less.
    dispersion = float(np.square(counts - 400).sum() / (400 * 0.9))
    assert dispersion == pytest.approx(100, abs=3.3 * np.sqrt(200))
