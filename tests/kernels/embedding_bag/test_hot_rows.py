"""Rows that occur very often, and tables with many lookups, which the kernels treat apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.kernels.embedding_bag.checks import assert_close, plain_sgd, same_bits, threads
from tests.kernels.embedding_bag.problems import BACKENDS, FAST

from hotrow.kernels import BackendName
from hotrow.kernels.embedding_bag import (
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    Pooling,
    TableSpec,
    backward_update,
)


def summed(
    table: torch.Tensor, ids: torch.Tensor, grads: torch.Tensor
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    total = np.zeros(tuple(table.shape))
    np.add.at(total, ids.numpy(), grads.double().numpy())
    return total


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", [0, 6])
def test_one_row_a_hundred_thousand_times(backend: BackendName, row: int) -> None:
    layout = Layout((TableSpec("t", 7, 5),), (FeatureSpec("f", 0),))
    table, grads = torch.zeros(7, 5), torch.randn(100_000, 5) + 1
    bags = Bags(torch.full((100_000, 1), row), None, 1)
    for count in (1, 2):
        table.zero_()
        with threads(count):
            grad = Embedded(grads, torch.zeros(0))
            backward_update([table], [], layout, bags, grad, plain_sgd(), backend=backend)
        expected = -summed(table, bags.ids[:, 0], grads)
        assert_close(table, expected)
        assert table.count_nonzero() == 5


# Around the number of lookups of a row (8192) and of a table (32768) from which they are treated apart.
COUNTS = [1023, 1024, 1025, 8191, 8192, 8193, 12_288, 32_767, 32_768]


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("pooling", ["sum", "mean"])
def test_hot_rows_among_others(backend: BackendName, count: int, pooling: Pooling) -> None:
    """Hot rows that are the first, the last, and neighbours; one and two lookups a bag."""
    rows = 200
    rng = np.random.default_rng(count)
    hot = np.repeat([0, 77, 78, rows - 1], [count, count, 5, count])
    ids = torch.from_numpy(
        rng.permutation(np.concatenate([hot, rng.integers(0, rows, 1001 + (count + 5) % 2)]))
    )
    ids = ids[: ids.numel() // 2 * 2]
    batch = ids.numel() // 2
    layout = Layout((TableSpec("t", rows, 3),), (FeatureSpec("f", 0, pooling),))
    grads = torch.randn(batch, 3)
    results = []
    for threads_used in (1, 2, 3):
        table = torch.zeros(rows, 3)
        with threads(threads_used):
            bags = Bags(ids, torch.arange(0, 2 * batch + 1, 2), 1)
            grad = Embedded(grads, torch.zeros(0))
            backward_update([table], [], layout, bags, grad, plain_sgd(), backend=backend)
        results.append(table)
    share = 0.5 if pooling == "mean" else 1.0
    assert_close(results[0], -share * summed(table, ids, grads.repeat_interleave(2, dim=0)), 1e-4)
    assert same_bits([results[0]] * 2, results[1:])


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("rows", [1, 2, 63, 64, 65, 127, 4096, 300_000])
@pytest.mark.parametrize("padding", [None, -1, 0])
def test_tables_of_many_lookups(backend: BackendName, rows: int, padding: int | None) -> None:
    """Sorted by several threads together; two features share the table, one is not pooled."""
    batch = 20_000
    rng = np.random.default_rng(rows)
    spec = TableSpec("t", rows, 2)
    layout = Layout((spec,), (FeatureSpec("a", 0, padding=padding), FeatureSpec("b", 0, "none", padding)))
    ids = torch.from_numpy((rows * rng.random((batch, 2)) ** 3).astype(np.int64))
    if padding is not None:
        ids[::7] = padding
    grad = Embedded(torch.randn(batch, 2), torch.randn(batch * 2))
    grads = torch.stack([grad.pooled, grad.sequences.view(-1, 2)], dim=1).flatten(0, 1)
    flat = ids.flatten()
    kept = torch.ones_like(flat, dtype=torch.bool) if padding is None else flat != padding
    results = []
    for count in (1, 2, 3):
        table = torch.zeros(rows, 2)
        with threads(count):
            backward_update([table], [], layout, Bags(ids, None, 2), grad, plain_sgd(), backend=backend)
        results.append(table)
    assert_close(results[0], -summed(table, flat[kept], grads[kept]), 1e-4)
    assert same_bits([results[0]] * 2, results[1:])
