from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hotrow.metrics import auc
from hotrow.train.window import AUC_ROWS, Window


def _batch(rows: int, seed: int) -> tuple[float, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy((rng.random(rows) < 0.4).astype(np.float32))
    return float(rows * seed), torch.from_numpy(rng.normal(size=rows).astype(np.float32)) + labels, labels


def test_loss_is_the_mean_over_rows_and_auc_is_exact() -> None:
    window = Window()
    batches = [_batch(30, 1), _batch(10, 5)]
    for batch in batches:
        window.add(*batch)
    loss, area = window.drain()
    assert loss == pytest.approx((30 + 50) / 40)
    scores = torch.cat([logits for _, logits, _ in batches]).numpy()
    labels = torch.cat([labels for _, _, labels in batches]).numpy()
    assert area == auc(labels, scores)


def test_draining_starts_anew() -> None:
    window = Window()
    window.add(*_batch(10, 1))
    window.drain()
    loss, area = window.drain()
    assert math.isnan(loss)
    assert area is None


def test_one_class_has_no_auc() -> None:
    window = Window()
    window.add(1.0, torch.zeros(4), torch.ones(4))
    assert window.drain()[1] is None


def test_only_the_newest_rows_are_sorted() -> None:
    window = Window()
    window.add(0.0, torch.full((AUC_ROWS,), 1e6), torch.zeros(AUC_ROWS))  # would spoil the area
    newest = _batch(AUC_ROWS, 2)
    window.add(*newest)
    assert window.drain()[1] == auc(newest[2].numpy(), newest[1].numpy())


def test_state_round_trips() -> None:
    window, other = Window(), Window()
    for seed in range(3):
        window.add(*_batch(7 + seed, seed))
    other.load(window.tensors())
    for each in (window, other):
        each.add(*_batch(AUC_ROWS - 10, 9))
    assert other.drain() == window.drain()
    empty = Window()
    empty.load(Window().tensors())
    assert empty.drain()[1] is None
