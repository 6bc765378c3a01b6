"""The time that tables count as theirs."""

from __future__ import annotations

import pytest
import torch

from hotrow.embedding import EmbeddingTables, TableConfig, TableOptimizerConfig

IDS = torch.tensor([[1], [3], [3]])


def _tables() -> EmbeddingTables:
    optimizer = TableOptimizerConfig(kind="sgd", lr=0.1)
    return EmbeddingTables([TableConfig(name="ad", rows=10, width=4)], optimizer=optimizer)


def test_lookups_and_steps_are_counted_apart() -> None:
    tables = _tables()
    result = tables(IDS)
    looked_up = tables.spent.lookup
    assert looked_up > 0
    assert tables.spent.update == 0.0
    result.sum().backward()
    assert tables.spent.update > 0
    assert tables.spent.lookup == looked_up


def test_accumulated_steps_too() -> None:
    tables = _tables()
    with tables.accumulating():
        tables(IDS).sum().backward()
        assert tables.spent.update == 0.0
    assert tables.spent.update > 0


def test_a_refused_step_is_not() -> None:
    tables = _tables()
    with pytest.raises(IndexError):
        tables(torch.tensor([[10]]))
    assert tables.spent.update == 0.0
