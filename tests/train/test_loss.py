from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits

from hotrow.errors import ConfigError
from hotrow.train.config import LabelWeights
from hotrow.train.loss import TaskLoss


def _values(shape: tuple[int, ...], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) * 4, torch.randint(
        0, 2, shape, generator=generator
    ).float()


@given(rows=st.integers(0, 9), tasks=st.integers(1, 4), weighted=st.booleans(), seed=st.integers(0, 99))
def test_it_is_the_weighted_sum_of_cross_entropies(rows: int, tasks: int, weighted: bool, seed: int) -> None:
    shape = (rows,) if tasks == 1 else (rows, tasks)
    logits, labels = _values(shape, seed)
    weights = [0.5 + number for number in range(tasks)] if weighted else []
    loss, of_each = TaskLoss([f"t{number}" for number in range(tasks)], weights)(logits, labels)
    z, y = (x.double().numpy().reshape(rows, tasks) for x in (logits, labels))
    expected = (np.logaddexp(0.0, z) - y * z).sum(axis=0)
    assert loss.item() == pytest.approx(float(expected @ (weights or [1.0] * tasks)), rel=1e-5, abs=1e-6)
    if tasks == 1:
        assert of_each is None
    else:
        assert of_each is not None
        np.testing.assert_allclose(of_each.numpy(), expected, rtol=1e-5, atol=1e-6)


@given(
    rows=st.integers(0, 9),
    tasks=st.integers(1, 4),
    positive=st.booleans(),
    negative=st.booleans(),
    seed=st.integers(0, 99),
)
def test_examples_count_by_their_labels(
    rows: int, tasks: int, positive: bool, negative: bool, seed: int
) -> None:
    shape = (rows,) if tasks == 1 else (rows, tasks)
    logits, labels = _values(shape, seed)
    up = [1.5 + number for number in range(tasks)] if positive else []
    down = [0.25 * (number + 1) for number in range(tasks)] if negative else []
    counts = LabelWeights(positive=tuple(up), negative=tuple(down))
    loss, of_each = TaskLoss([f"t{number}" for number in range(tasks)], [], counts)(logits, labels)
    z, y = (x.double().numpy().reshape(rows, tasks) for x in (logits, labels))
    count = np.where(y == 1, up or [1.0] * tasks, down or [1.0] * tasks)
    expected = (count * (np.logaddexp(0.0, z) - y * z)).sum(axis=0)
    assert loss.item() == pytest.approx(float(expected.sum()), rel=1e-5, abs=1e-6)
    if of_each is not None:
        np.testing.assert_allclose(of_each.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_label_weights_scale_gradients_row_by_row() -> None:
    logits, labels = _values((9,))
    logits.requires_grad_()
    TaskLoss(["a"], [], LabelWeights(positive=(3.0,)))(logits, labels)[0].backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    torch.testing.assert_close(
        logits.grad, (1 + 2 * labels) * (logits.detach().double().sigmoid().float() - labels)
    )


@pytest.mark.parametrize("weights", [(), (1.0,)])
def test_one_task_has_the_bits_of_plain_torch(weights: tuple[float, ...]) -> None:
    logits, labels = _values((513,))
    loss, _ = TaskLoss(["label"], weights, LabelWeights(positive=weights))(logits, labels)
    assert torch.equal(loss, binary_cross_entropy_with_logits(logits, labels, reduction="sum"))


def test_weights_scale_gradients_task_by_task() -> None:
    logits, labels = _values((7, 2))
    logits.requires_grad_()
    TaskLoss(["a", "b"], [2.0, 0.0])(logits, labels)[0].backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad[:, 0], 2 * (logits.detach().sigmoid() - labels)[:, 0])
    assert not logits.grad[:, 1].any()


def test_as_many_weights_as_tasks() -> None:
    with pytest.raises(
        ConfigError, match=r"task_weights: got \[1.0\], expected one number for each of the tasks"
    ):
        TaskLoss(["a", "b"], [1.0])
    with pytest.raises(
        ConfigError, match=r"label_weights.negative: got \[2.0\], expected one number for each"
    ):
        TaskLoss(["a", "b"], [], LabelWeights(negative=(2.0,)))


def test_as_many_logits_as_labels() -> None:
    with pytest.raises(ConfigError, match=r"model\.tasks: got 'a, b', expected as many labels .* logits, 1"):
        TaskLoss(["a", "b"], [])(torch.zeros(3), torch.zeros(3, 2))
    with pytest.raises(ConfigError, match=r"logits, 2"):
        TaskLoss(["a"], [])(torch.zeros(3, 2), torch.zeros(3))
