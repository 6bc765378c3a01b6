"""Loss and AUC of the latest training steps.

Shapes: B batch, K tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hotrow.metrics import auc

AUC_ROWS = 16_384
"""The AUC is that of the newest whole batches of at least this many rows: sorting more would be felt."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Losses of a batch summed over its rows, or of many rows as a mean.

    Attributes:
        total: of all tasks, weighted; without the auxiliary loss.
        aux: the auxiliary loss, if the model has one.
        tasks: (K,) of each task before it is weighted; empty for one task.
    """

    total: float
    aux: float | None = None
    tasks: tuple[float, ...] = ()


class Window:
    """What happened since the last figures; part of a checkpoint."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._losses = Losses(total=0.0)
        self._rows = 0
        self._scored: list[tuple[Tensor, Tensor]] = []  # logits and labels, each (B,) or (B, K)

    def add(self, losses: Losses, logits: Tensor, labels: Tensor) -> None:
        """Add a batch; ``losses`` are summed over its rows, logits and labels are (B,) or (B, K)."""
        self._losses = _add(self._losses, losses)
        self._rows += len(labels)
        self._scored.append((logits, labels))
        while sum(len(labels) for _, labels in self._scored[1:]) >= AUC_ROWS:
            del self._scored[0]

    def drain(self) -> tuple[Losses, tuple[float | None, ...]]:
        """Return mean losses and each task's AUC, None for one class, and start anew."""
        mean = _over(self._losses, self._rows)
        areas: tuple[float | None, ...] = (None,)
        if self._scored:
            logits = _columns(torch.cat([logits for logits, _ in self._scored]))
            labels = _columns(torch.cat([labels for _, labels in self._scored]))
            areas = tuple(_area(*pair) for pair in zip(labels, logits, strict=True))
        self._clear()
        return mean, areas

    def tensors(self) -> dict[str, Tensor]:
        """Return the state for a checkpoint; batches keep their borders."""
        losses = self._losses
        return {
            "sums": torch.tensor([losses.total, self._rows], dtype=torch.float64),
            "aux": torch.tensor([] if losses.aux is None else [losses.aux], dtype=torch.float64),
            "tasks": torch.tensor(losses.tasks, dtype=torch.float64),
            "sizes": torch.tensor([len(labels) for _, labels in self._scored], dtype=torch.int64),
            "logits": torch.cat([logits for logits, _ in self._scored] or [torch.empty(0)]),
            "labels": torch.cat([labels for _, labels in self._scored] or [torch.empty(0)]),
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what ``tensors`` returned."""
        total, rows = tensors["sums"].tolist()
        aux = tensors["aux"].tolist()
        self._losses = Losses(
            total=total, aux=aux[0] if aux else None, tasks=tuple(tensors["tasks"].tolist())
        )
        self._rows = int(rows)
        sizes = tensors["sizes"].tolist()
        pairs = zip(torch.split(tensors["logits"], sizes), torch.split(tensors["labels"], sizes), strict=True)
        self._scored = [(logits.clone(), labels.clone()) for logits, labels in pairs]


def _add(before: Losses, more: Losses) -> Losses:
    tasks: Sequence[float] = before.tasks or (0.0,) * len(more.tasks)
    return Losses(
        total=before.total + more.total,
        aux=before.aux if more.aux is None else (before.aux or 0.0) + more.aux,
        tasks=tuple(old + new for old, new in zip(tasks, more.tasks, strict=True)),
    )


def _over(losses: Losses, rows: int) -> Losses:
    if not rows:
        return Losses(total=math.nan)
    return Losses(
        total=losses.total / rows,
        aux=None if losses.aux is None else losses.aux / rows,
        tasks=tuple(task / rows for task in losses.tasks),
    )


def _columns(values: Tensor) -> tuple[Tensor, ...]:
    return (values,) if values.dim() == 1 else values.unbind(dim=1)


def _area(labels_B: Tensor, logits_B: Tensor) -> float | None:
    labels = labels_B.numpy()
    return auc(labels, logits_B.numpy()) if 0 < labels.sum() < labels.size else None
