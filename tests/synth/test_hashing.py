"""Hashed ids and hashed random numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hotrow.synth.hashing import LANES, mix, normals, scramble_ids


def test_ids_are_distinct_within_a_feature() -> None:
    ids = scramble_ids(2, np.arange(3_000_000, dtype=np.int32))
    assert np.unique(ids).size == 3_000_000


def test_ids_look_like_hashes() -> None:
    ids = scramble_ids(0, np.arange(50_000, dtype=np.int32))
    bits = np.unpackbits(ids.view(np.uint8)).mean()
    assert bits == pytest.approx(0.5, abs=0.002)
    assert ids[0] != 0


def test_features_have_different_ids() -> None:
    ranks = np.arange(1000, dtype=np.int32)
    assert not np.isin(scramble_ids(0, ranks), scramble_ids(1, ranks)).any()


def test_mix_depends_on_every_part_and_on_their_order() -> None:
    assert len({mix(1, 2, 3), mix(1, 2, 4), mix(0, 2, 3), mix(3, 2, 1), mix(1, 2), mix(1, 2, 3, 0)}) == 6
    assert all(0 <= mix(seed, 7) < 1 << 64 for seed in range(100))


def test_normals_are_standard_and_belong_to_their_key() -> None:
    ranks = np.arange(200_000, dtype=np.int32)
    drawn = normals(mix(5), ranks)
    assert drawn.shape == (200_000, LANES)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(LANES), atol=0.015)
    np.testing.assert_array_equal(normals(mix(5), ranks[[7, 7, 0]]), drawn[[7, 7, 0]])
    assert abs(np.corrcoef(drawn[:, 0], normals(mix(6), ranks)[:, 0])[0, 1]) < 0.01


def test_normals_know_nothing_of_popularity() -> None:
    ranks = np.arange(100_000, dtype=np.int32)
    drawn = normals(mix(5), ranks)[:, 0]
    assert abs(np.corrcoef(drawn, np.log1p(ranks))[0, 1]) < 0.015
    assert abs(np.corrcoef(np.abs(drawn), np.log1p(ranks))[0, 1]) < 0.015
