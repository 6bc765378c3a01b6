"""facebookresearch/dlrm, from a checkout: ``DLRM_CHECKOUT=folder``. Its step is that of its own loop."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.train.contender import ContenderMissingError
from hotrow.models import DLRMConfig
from hotrow.train.config import TrainConfig
from hotrow.types import Batch

CHECKOUT = "DLRM_CHECKOUT"


class ReferenceDLRM:
    """Its network with dot interaction, sparse gradients and ``torch.optim.SGD``.

    Args:
        config: sizes.
        train: learning rate of the networks, which it has for the tables too.

    Raises:
        ContenderMissingError: no checkout is given.
    """

    def __init__(self, config: DLRMConfig, train: TrainConfig) -> None:
        net = _module().DLRM_Net(
            config.tables[0].width,
            np.array([table.rows for table in config.tables]),
            np.array(config.bottom_sizes),
            np.array(config.top_sizes),
            arch_interaction_op="dot",
            sigmoid_bot=-1,
            sigmoid_top=len(config.top_sizes) - 2,
        )
        self._net = net
        self._optimizer = torch.optim.SGD(net.parameters(), lr=train.dense.lr)

    def convert(self, batch: Batch) -> Any:
        """Return dense values, offsets and ids of each table, labels (B, 1)."""
        assert batch.labels is not None
        ids = batch.ids.t().to(torch.int64).contiguous()
        offsets = torch.arange(len(batch)).repeat(len(ids), 1)
        return batch.dense.clone(), offsets, ids, batch.labels.clone().view(-1, 1)

    def step(self, given: Any) -> None:
        """Train on a batch, and read its loss."""
        dense, offsets, ids, labels = given
        scores = self._net(dense, offsets, ids)
        loss = self._net.loss_fn(scores, labels)
        loss.detach().numpy()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()


def _module() -> Any:
    folder = os.environ.get(CHECKOUT)
    if not folder or not (Path(folder) / "dlrm_s_pytorch.py").is_file():
        raise ContenderMissingError(f"facebookresearch/dlrm: {CHECKOUT}=FOLDER names no checkout of it")
    sys.path.append(folder)
    try:
        import dlrm_s_pytorch  # type: ignore[import-not-found]
    except ImportError as error:
        raise ContenderMissingError(f"facebookresearch/dlrm: {error}") from error
    finally:
        sys.path.remove(folder)
    return dlrm_s_pytorch
