"""TorchRec's DLRM on FBGEMM's fused tables: its eager single-process path (torchrec 1.8.0).

Its requirements ask for FBGEMM's CUDA build, so it is no part of the extra ``bench``. Beside that extra
``pip install --no-deps`` takes torchrec==1.8.0 torchmetrics==1.0.3 tensordict pyvers pyre-extensions
typing-inspect mypy-extensions lightning-utilities orjson cloudpickle importlib_metadata zipp tqdm.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.train.contender import ContenderMissingError
from hotrow.models import DLRMConfig
from hotrow.train.config import TrainConfig
from hotrow.types import Batch


class TorchRec:
    """``FusedEmbeddingBagCollection`` with SGD, and ``torch.optim.SGD`` for the networks.

    Args:
        config: sizes.
        train: learning rates.

    Raises:
        ContenderMissingError: TorchRec is not installed.
    """

    def __init__(self, config: DLRMConfig, train: TrainConfig) -> None:
        try:
            from torchrec import (  # type: ignore[import-not-found]
                EmbeddingBagConfig,
                KeyedJaggedTensor,
            )
            from torchrec.models.dlrm import DLRM  # type: ignore[import-not-found]
            from torchrec.modules.fused_embedding_modules import (  # type: ignore[import-not-found]
                FusedEmbeddingBagCollection,
            )
        except ImportError as error:
            raise ContenderMissingError(f"TorchRec: {error} (see benchmarks/train/_torchrec.py)") from error
        self._keyed = KeyedJaggedTensor
        self._names = [table.name for table in config.tables]
        tables = [
            EmbeddingBagConfig(
                name=table.name,
                embedding_dim=table.width,
                num_embeddings=table.rows,
                feature_names=[table.name],
            )
            for table in config.tables
        ]
        fused = FusedEmbeddingBagCollection(
            tables=tables, optimizer_type=torch.optim.SGD, optimizer_kwargs={"lr": train.tables.lr}
        )
        self._net = DLRM(
            embedding_bag_collection=fused,
            dense_in_features=config.bottom_sizes[0],
            dense_arch_layer_sizes=list(config.bottom_sizes[1:]),
            over_arch_layer_sizes=list(config.top_sizes[1:]),
        )
        networks = [
            parameter for name, parameter in self._net.named_parameters() if "embedding_bags" not in name
        ]
        self._optimizer = torch.optim.SGD(networks, lr=train.dense.lr)

    def convert(self, batch: Batch) -> Any:
        """Return dense values, a ``KeyedJaggedTensor`` and labels."""
        assert batch.labels is not None
        ids = batch.ids.t().to(torch.int64).reshape(-1)
        lengths = torch.ones(len(ids), dtype=torch.int32)
        keyed = self._keyed(keys=self._names, values=ids, lengths=lengths)
        return batch.dense.clone(), keyed, batch.labels.clone()

    def step(self, given: Any) -> None:
        """Train on a batch, and read its loss."""
        dense, keyed, labels = given
        loss = F.binary_cross_entropy_with_logits(self._net(dense, keyed).squeeze(1), labels)
        loss.item()
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
