from __future__ import annotations

import pytest
import torch

from hotrow.errors import ConfigError
from hotrow.train.tasks import task_labels
from hotrow.types import Batch

LABELS = ("click", "buy", "like")
VALUES = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])


def _batch(labels: torch.Tensor) -> Batch:
    return Batch(torch.zeros(2, 0), torch.zeros(2, 0, dtype=torch.int32), labels)


def test_the_only_label_is_taken_as_it_is() -> None:
    labels = VALUES[:, 0].clone()
    assert task_labels(["click"], ["click"]).of(_batch(labels)) is labels
    assert task_labels(LABELS, LABELS).of(_batch(VALUES)) is VALUES


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        (("click",), [1.0, 1.0]),
        (("buy",), [0.0, 1.0]),
        (("buy", "click"), [[0.0, 1.0], [1.0, 1.0]]),
        (("click", "buy"), [[1.0, 0.0], [1.0, 1.0]]),
    ],
)
def test_labels_are_found_by_name(tasks: tuple[str, ...], expected: list[object]) -> None:
    found = task_labels(tasks, LABELS)
    assert found.names == tasks
    assert found.of(_batch(VALUES)).tolist() == expected


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (("income",), "model.tasks: got 'income', expected one or more of the data set's labels click, buy"),
        (("click", "income"), "got 'click, income'"),
        ((), "got ''"),
        (("buy", "buy"), "each once"),
    ],
)
def test_a_task_without_a_label_names_those_there_are(tasks: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task_labels(tasks, LABELS)
