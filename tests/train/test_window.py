from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hotrow.metrics import auc
from hotrow.train.window import AUC_ROWS, Losses, Window


def _batch(rows: int, seed: int, tasks: int = 1) -> tuple[Losses, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    shape = rows if tasks == 1 else (rows, tasks)
    labels = torch.from_numpy((rng.random(shape) < 0.4).astype(np.float32))
    losses = Losses(
        total=float(rows * seed),
        aux=None if tasks == 1 else rows * 0.5,
        tasks=() if tasks == 1 else tuple(float(rows * (seed + task)) for task in range(tasks)),
    )
    return losses, torch.from_numpy(rng.normal(size=shape).astype(np.float32)) + labels, labels


def test_loss_is_the_mean_over_rows_and_auc_is_exact() -> None:
    window = Window()
    batches = [_batch(30, 1), _batch(10, 5)]
    for batch in batches:
        window.add(*batch)
    losses, areas = window.drain()
    assert losses.total == pytest.approx((30 + 50) / 40)
    assert (losses.aux, losses.tasks) == (None, ())
    scores = torch.cat([logits for _, logits, _ in batches]).numpy()
    labels = torch.cat([labels for _, _, labels in batches]).numpy()
    assert areas == (auc(labels, scores),)


def test_every_task_has_its_own() -> None:
    window = Window()
    batches = [_batch(30, 1, 2), _batch(10, 5, 2)]
    for batch in batches:
        window.add(*batch)
    losses, areas = window.drain()
    assert losses.aux == 0.5
    assert losses.tasks == pytest.approx(((30 + 50) / 40, (60 + 60) / 40))
    scores = torch.cat([logits for _, logits, _ in batches]).numpy()
    labels = torch.cat([labels for _, _, labels in batches]).numpy()
    assert areas == tuple(auc(labels[:, task], scores[:, task]) for task in range(2))


def test_draining_starts_anew() -> None:
    window = Window()
    window.add(*_batch(10, 1, 2))
    window.drain()
    losses, areas = window.drain()
    assert math.isnan(losses.total)
    assert (losses.aux, losses.tasks, areas) == (None, (), (None,))


def test_one_class_has_no_auc() -> None:
    window = Window()
    window.add(Losses(total=1.0), torch.zeros(4), torch.ones(4))
    assert window.drain()[1] == (None,)


def test_only_the_newest_rows_are_sorted() -> None:
    window = Window()
    window.add(Losses(total=0.0), torch.full((AUC_ROWS,), 1e6), torch.zeros(AUC_ROWS))  # would spoil the area
    newest = _batch(AUC_ROWS, 2)
    window.add(*newest)
    assert window.drain()[1] == (auc(newest[2].numpy(), newest[1].numpy()),)


@pytest.mark.parametrize("tasks", [1, 3])
def test_state_round_trips(tasks: int) -> None:
    window, other = Window(), Window()
    for seed in range(3):
        window.add(*_batch(7 + seed, seed, tasks))
    other.load(window.tensors())
    for each in (window, other):
        each.add(*_batch(AUC_ROWS - 10, 9, tasks))
    assert other.drain() == window.drain()
    empty = Window()
    empty.load(Window().tensors())
    assert empty.drain()[1] == (None,)
