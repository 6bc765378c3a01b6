"""The peer: DLRM as one writes it in plain PyTorch, one ``nn.EmbeddingBag`` a table.

It shares with hotrow only initial weights, batches, learning rates and the definition of the loss.
Shapes: B batch, T tables, F = T + 1 vectors, D width.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotrow.data.loader import Loader
from hotrow.metrics import MetricAccumulator
from hotrow.models import DLRMConfig
from hotrow.train.config import TrainConfig
from hotrow.types import Batch


class PlainDLRM(nn.Module):
    """DLRM of ``nn.EmbeddingBag``, ``nn.Linear`` and ``torch.bmm``.

    Args:
        config: sizes.
        weights: state of a hotrow DLRM of the same sizes, which is copied.
    """

    def __init__(self, config: DLRMConfig, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.tables = nn.ModuleList(
            nn.EmbeddingBag.from_pretrained(
                weights[f"embeddings.tables.{table.name}.weight"].clone(),
                freeze=False,
                mode="sum",
                sparse=True,
            )
            for table in config.tables
        )
        self.bottom = _network(config.bottom_sizes, weights, "bottom", last_relu=True)
        self.top = _network(config.top_sizes, weights, "top", last_relu=False)
        vectors = len(config.tables) + 1
        self.row, self.column = torch.tril_indices(vectors, vectors, offset=-1)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (B,)."""
        x_BD = self.bottom(batch.dense)
        bags = [table(batch.ids[:, index : index + 1]) for index, table in enumerate(self.tables)]
        x_BFD = torch.stack([x_BD, *bags], dim=1)
        z_BFF = torch.bmm(x_BFD, x_BFD.transpose(1, 2))
        logits: Tensor = self.top(torch.cat([x_BD, z_BFF[:, self.row, self.column]], dim=1)).squeeze(1)
        return logits


class RowWiseAdagrad:
    """Row-wise Adagrad on sparse gradients in plain PyTorch, as facebookresearch/dlrm has it."""

    def __init__(self, parameters: list[nn.Parameter], *, eps: float) -> None:
        self.parameters = parameters
        self.eps = eps
        self.sums = [torch.zeros(parameter.shape[0]) for parameter in parameters]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update the rows that have a gradient, and forget it."""
        for parameter, sums_E in zip(self.parameters, self.sums, strict=True):
            assert parameter.grad is not None
            gradient = parameter.grad.coalesce()
            rows, values = gradient.indices()[0], gradient.values()
            sums_E[rows] += values.square().mean(dim=1)
            parameter[rows] -= lr * values / (sums_E[rows].sqrt() + self.eps)[:, None]
            parameter.grad = None


class PlainTrainer:
    """One training step in plain PyTorch.

    Args:
        model: what is trained.
        config: optimizers; SGD and row-wise Adagrad for the tables, SGD and Adam for the networks.
    """

    def __init__(self, model: PlainDLRM, config: TrainConfig) -> None:
        self.model = model
        self.config = config
        tables = list(model.tables.parameters())
        networks = [*model.bottom.parameters(), *model.top.parameters()]
        dense = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[config.dense.kind]
        self.dense = dense(networks, lr=config.dense.lr)
        adagrad = config.tables.kind == "rowwise_adagrad"
        self.adagrad = RowWiseAdagrad(tables, eps=config.tables.eps) if adagrad else None
        self.sgd = None if adagrad else torch.optim.SGD(tables, lr=config.tables.lr)

    def step(self, batch: Batch, *, share: float, rows: int) -> None:
        """Train on a batch.

        Args:
            batch: labelled.
            share: of both full learning rates, by the schedule.
            rows: what the summed loss is divided by.
        """
        assert batch.labels is not None
        loss = F.binary_cross_entropy_with_logits(self.model(batch), batch.labels, reduction="sum") / rows
        self.dense.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in self.dense.param_groups:
            group["lr"] = self.config.dense.lr * share
        self.dense.step()
        if self.adagrad is not None:
            self.adagrad.step(self.config.tables.lr * share)
        elif self.sgd is not None:
            self.sgd.param_groups[0]["lr"] = self.config.tables.lr * share
            self.sgd.step()
            self.sgd.zero_grad()


class PlainContender:
    """The peer as a contender of suite ``train``.

    Args:
        config: sizes.
        weights: state of a hotrow DLRM of the same sizes, which is copied.
        train: optimizers.
    """

    def __init__(self, config: DLRMConfig, weights: dict[str, Tensor], train: TrainConfig) -> None:
        self._trainer = PlainTrainer(PlainDLRM(config, weights), train)

    def convert(self, batch: Batch) -> Batch:
        """Return a copy of the batch."""
        return copied(batch)

    def step(self, given: Batch) -> None:
        """Train on a batch."""
        self._trainer.step(given, share=1.0, rows=len(given))


def copied(batch: Batch) -> Batch:
    """Return a copy of a labelled batch without lists."""
    assert batch.labels is not None
    return Batch(batch.dense.clone(), batch.ids.clone(), batch.labels.clone())


def plain_auc(model: PlainDLRM, loader: Loader) -> float:
    """Return a plain model's AUC on a loader's rows."""
    metrics = MetricAccumulator()
    with torch.inference_mode(), loader.epoch() as batches:
        for batch in batches:
            assert batch.labels is not None
            metrics.update(batch.labels.numpy(), model(batch).numpy())
    area = metrics.result().auc
    assert area is not None
    return area


def _network(
    sizes: tuple[int, ...], weights: dict[str, Tensor], name: str, *, last_relu: bool
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    network = nn.Sequential(*(layers if last_relu else layers[:-1]))
    prefix = f"{name}.layers."
    network.load_state_dict(
        {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
    )
    return network
