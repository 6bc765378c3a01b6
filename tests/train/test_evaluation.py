"""Evaluation of models of one and more tasks, on rows with and without groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.train.heads import LABELS, make_heads, user_schema
from torch import Tensor

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.errors import ConfigError
from hotrow.metrics import MetricAccumulator, RankingAccumulator
from hotrow.models import Correction
from hotrow.train.evaluation import Floats, evaluate

WriteDataset = Callable[..., Path]


@pytest.fixture
def loader(tmp_path: Path, write_dataset: WriteDataset) -> Loader:
    data = Dataset.open(write_dataset(tmp_path / "users", schema=user_schema()))
    return Loader(data, "test", LoaderConfig(batch_size=64))


def _columns(loader: Loader) -> tuple[Tensor, Tensor, Tensor]:
    """Return labels (B, K), groups (B,) and the first categorical feature's ids (B,)."""
    with loader.epoch() as batches:
        found = [(batch.labels, batch.groups, batch.ids[:, 0]) for batch in batches]
    labels, groups, ids = (
        torch.cat([tensor for tensor in part if tensor is not None]) for part in zip(*found, strict=True)
    )
    return labels, groups, ids


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_every_task_is_judged_by_its_own_label(loader: Loader, order: tuple[int, ...]) -> None:
    names = tuple(LABELS[column] for column in order)
    model = make_heads(names)
    seen: list[tuple[Floats, Floats]] = []
    found = evaluate(model, loader, on_logits=lambda labels, logits: seen.append((labels, logits)))
    labels, groups, _ = _columns(loader)
    with torch.no_grad(), loader.epoch() as batches:
        logits = torch.cat([model(batch) for batch in batches])
    for task, (name, column) in enumerate(zip(names, order, strict=True)):
        expected = MetricAccumulator()
        expected.update(labels[:, column].numpy(), logits[:, task].numpy())
        assert found.tasks[name].auc == expected.result().auc
        assert found.tasks[name].log_loss == pytest.approx(expected.result().log_loss)
    assert list(found.tasks) == list(names)
    assert found.auc == found.tasks[names[0]].auc
    ranking = RankingAccumulator()
    ranking.update(groups.numpy(), labels[:, order[0]].numpy(), logits[:, 0].numpy())
    assert found.ranking == pytest.approx(ranking.result().figures())
    np.testing.assert_array_equal(np.concatenate([pair[0] for pair in seen]), labels[:, order[0]].numpy())


def test_one_task_of_several_labels(loader: Loader) -> None:
    model = make_heads(LABELS[1:])
    found = evaluate(model, loader)
    labels, _, _ = _columns(loader)
    assert (found.positives, found.tasks) == (int(labels[:, 1].sum()), {})


def test_top_lists_and_items(loader: Loader) -> None:
    found = evaluate(make_heads(LABELS), loader, at=(1, 3), item=0)
    assert found.ranking is not None
    assert {"hr@1", "ndcg@3", "recall@3", "coverage@1", "mrr", "gauc"} <= found.ranking.keys()
    assert found.ranking["groups"] == len(set(_columns(loader)[1].tolist()))


def test_rankings_may_be_left_out(loader: Loader) -> None:
    assert evaluate(make_heads(LABELS), loader, at=None).ranking is None


def test_without_groups_there_is_no_ranking(tmp_path: Path, write_dataset: WriteDataset) -> None:
    schema = replace(user_schema(), group="")
    loader = Loader(Dataset.open(write_dataset(tmp_path / "data", schema=schema)), "test")
    assert evaluate(make_heads(LABELS), loader).ranking is None


def test_a_task_without_a_label_is_told(loader: Loader) -> None:
    model = make_heads(("click", "income"))
    with pytest.raises(ConfigError, match=r"got 'click, income', expected one or more of .* click, buy"):
        evaluate(model, loader)


def test_logits_are_corrected(loader: Loader) -> None:
    model = make_heads(LABELS)
    seen: list[Floats] = []
    correction = Correction(odds=(0.25, 2.0))
    plain = evaluate(model, loader)
    found = evaluate(
        model, loader, correction=correction, on_logits=lambda labels, logits: seen.append(logits)
    )
    with torch.no_grad(), loader.epoch() as batches:
        logits = torch.cat([model(batch) for batch in batches]).double()
    expected = MetricAccumulator()
    expected.update(_columns(loader)[0][:, 1].numpy(), (logits[:, 1] + np.log(2.0)).numpy())
    assert found.tasks["buy"].log_loss == pytest.approx(expected.result().log_loss)
    assert found.tasks["buy"].calibration == pytest.approx(expected.result().calibration)
    assert found.auc == pytest.approx(plain.auc, abs=1e-3)
    np.testing.assert_allclose(
        np.concatenate(seen), logits[:, 0].numpy() + np.log(0.25), rtol=1e-5, atol=1e-6
    )
