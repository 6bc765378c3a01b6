"""Loss and AUC of the latest training steps."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from hotrow.metrics import auc

AUC_ROWS = 16_384
"""The AUC is that of the newest whole batches of at least this many rows: sorting more would be felt."""


class Window:
    """What happened since the last figures; part of a checkpoint."""

    def __init__(self) -> None:
        self._loss = 0.0
        self._rows = 0
        self._scored: list[tuple[Tensor, Tensor]] = []  # logits and labels, each (B,)

    def add(self, loss_sum: float, logits_B: Tensor, labels_B: Tensor) -> None:
        """Add a batch; ``loss_sum`` is summed over its rows."""
        self._loss += loss_sum
        self._rows += len(labels_B)
        self._scored.append((logits_B, labels_B))
        while sum(len(labels) for _, labels in self._scored[1:]) >= AUC_ROWS:
            del self._scored[0]

    def drain(self) -> tuple[float, float | None]:
        """Return mean loss and AUC, and start anew."""
        loss = self._loss / self._rows if self._rows else math.nan
        area = None
        if self._scored:
            logits = torch.cat([logits for logits, _ in self._scored]).numpy()
            labels = torch.cat([labels for _, labels in self._scored]).numpy()
            if 0 < labels.sum() < labels.size:
                area = auc(labels, logits)
        self._loss, self._rows, self._scored = 0.0, 0, []
        return loss, area

    def tensors(self) -> dict[str, Tensor]:
        """Return the state for a checkpoint; batches keep their borders."""
        return {
            "sums": torch.tensor([self._loss, self._rows], dtype=torch.float64),
            "sizes": torch.tensor([len(labels) for _, labels in self._scored], dtype=torch.int64),
            "logits": torch.cat([logits for logits, _ in self._scored] or [torch.empty(0)]),
            "labels": torch.cat([labels for _, labels in self._scored] or [torch.empty(0)]),
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what ``tensors`` returned."""
        loss, rows = tensors["sums"].tolist()
        self._loss, self._rows = loss, int(rows)
        sizes = tensors["sizes"].tolist()
        pairs = zip(torch.split(tensors["logits"], sizes), torch.split(tensors["labels"], sizes), strict=True)
        self._scored = [(logits.clone(), labels.clone()) for logits, labels in pairs]
