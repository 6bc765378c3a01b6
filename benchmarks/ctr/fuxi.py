"""DCNv2 and DeepFM of FuxiCTR (an optional extra): its layers, its training loop, its data loader.

FuxiCTR's package has the layers and the training loop of every model, and only some of the models;
what is missing is put together here from its layers as its documentation describes the models.

Shapes: B batch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.dataloaders import RankDataLoader
from fuxictr.pytorch.layers import CrossNetV2, FactorizationMachine, FeatureEmbedding, MLP_Block
from fuxictr.pytorch.models import BaseModel
from fuxictr.pytorch.torch_utils import seed_everything
from torch import Tensor, nn

from benchmarks.ctr.columns import Column, Columns
from benchmarks.ctr.setup import Setup, Trained
from hotrow.metrics import auc


class FuxiDCNv2(BaseModel):  # type: ignore[misc]
    """Cross network and deep network side by side, from FuxiCTR's layers."""

    def __init__(self, feature_map: Any, setup: Setup, **options: Any) -> None:
        super().__init__(feature_map, **options)
        width = feature_map.num_fields * setup.width
        self.embedding_layer = FeatureEmbedding(feature_map, setup.width)
        self.crossnet = CrossNetV2(width, setup.crosses)
        self.deep = MLP_Block(input_dim=width, hidden_units=list(setup.hidden), hidden_activations="ReLU")
        self.fc = nn.Linear(width + setup.hidden[-1], 1)
        self.compile("adam", "binary_crossentropy", setup.fuxi_lr)
        self.reset_parameters()

    def forward(self, inputs: Any) -> dict[str, Tensor]:
        """Return the probabilities, (B, 1)."""
        x_BP = self.embedding_layer(self.get_inputs(inputs), flatten_emb=True)
        joined = torch.cat([self.crossnet(x_BP), self.deep(x_BP)], dim=-1)
        return {"y_pred": self.output_activation(self.fc(joined))}


class FuxiDeepFM(BaseModel):  # type: ignore[misc]
    """Factorisation machine and deep network side by side, from FuxiCTR's layers."""

    def __init__(self, feature_map: Any, setup: Setup, **options: Any) -> None:
        super().__init__(feature_map, **options)
        self.embedding_layer = FeatureEmbedding(feature_map, setup.width)
        self.fm = FactorizationMachine(feature_map)
        width = feature_map.num_fields * setup.width
        self.deep = MLP_Block(
            input_dim=width, output_dim=1, hidden_units=list(setup.hidden), hidden_activations="ReLU"
        )
        self.compile("adam", "binary_crossentropy", setup.fuxi_lr)
        self.reset_parameters()

    def forward(self, inputs: Any) -> dict[str, Tensor]:
        """Return the probabilities, (B, 1)."""
        given = self.get_inputs(inputs)
        x_BFD = self.embedding_layer(given)
        logits = self.fm(given, x_BFD) + self.deep(x_BFD.flatten(start_dim=1))
        return {"y_pred": self.output_activation(logits)}


MODELS = {"dcnv2": FuxiDCNv2, "deepfm": FuxiDeepFM}


@dataclass(frozen=True)
class Rates:
    """How fast FuxiCTR trains.

    Attributes:
        loop: samples/s of its training loop with its own data loader, which has a process of its own.
        step: samples/s of its training step alone, on batches that are ready.
    """

    loop: float
    step: float


def write_splits(folder: Path, splits: Mapping[str, Columns]) -> None:
    """Write the splits as FuxiCTR's data loader reads them."""
    for name, columns in splits.items():
        np.savez(folder / f"{name}.npz", **dict[str, Any](columns))


def train_peer(model: str, columns: Sequence[Column], folder: Path, setup: Setup, seed: int) -> Trained:
    """Train a FuxiCTR model on the splits in ``folder`` and judge it on the test rows.

    Args:
        model: ``dcnv2`` or ``deepfm``.
        columns: the features.
        folder: where ``write_splits`` wrote.
        setup: sizes and rates.
        seed: of FuxiCTR's random numbers.
    """
    made = _make(model, columns, folder, setup, seed)
    train, valid = _loaders(made, folder, setup)
    started = time.perf_counter()
    made.fit(train, epochs=setup.epochs, validation_data=valid)
    seconds = time.perf_counter() - started
    test = RankDataLoader(
        made.feature_map,
        stage="test",
        test_data=str(folder / "test.npz"),
        data_format="npz",
        batch_size=setup.batch_size,
        num_workers=0,
    )
    with np.load(folder / "test.npz") as rows:
        area = auc(rows["label"], made.predict(test))
    return Trained(
        auc=area,
        parameters=sum(parameter.numel() for parameter in made.parameters()),
        seconds=seconds,
        epochs=float(made._epoch_index + 1),
    )


def peer_rates(model: str, columns: Sequence[Column], folder: Path, setup: Setup) -> Rates:
    """Return how fast an epoch is, without validation, and the training step by itself."""
    made = _make(model, columns, folder, setup, seed=0)
    train, _ = _loaders(made, folder, setup, workers=1)
    return Rates(loop=_epoch_rate(made, train), step=_step_rate(made, train))


def _make(model: str, columns: Sequence[Column], folder: Path, setup: Setup, seed: int) -> Any:
    seed_everything(seed)
    made: Any = MODELS[model](
        _feature_map(columns, folder, setup),
        setup,
        model_id=f"{model}-{seed}",
        monitor="AUC",
        metrics=["AUC"],
        early_stop_patience=setup.patience,
        embedding_regularizer=setup.fuxi_l2,
        verbose=0,
        model_root=str(folder),
    )
    made._max_gradient_norm = 10.0  # set by fit() otherwise
    made._stop_training = False
    Path(made.model_dir).mkdir(parents=True, exist_ok=True)
    return made


def _loaders(model: Any, folder: Path, setup: Setup, *, workers: int = 0) -> Any:
    return RankDataLoader(
        model.feature_map,
        stage="train",
        train_data=str(folder / "train.npz"),
        valid_data=str(folder / "valid.npz"),
        shuffle=True,
        data_format="npz",
        batch_size=setup.batch_size,
        num_workers=workers,
    )


def _feature_map(columns: Sequence[Column], folder: Path, setup: Setup) -> Any:
    found = FeatureMap("ml-1m", str(folder))
    for column in columns:
        spec: dict[str, Any] = {"source": "", "type": "categorical", "vocab_size": column.rows}
        if column.length is not None:
            spec |= {
                "type": "sequence",
                "max_len": column.length,
                "padding_idx": 0,
                "feature_encoder": "layers.MaskedAveragePooling()",
            }
        found.features[column.name] = spec
    found.labels = ["label"]
    found.default_emb_dim = setup.width
    found.num_fields = found.get_num_fields()
    found.total_features = sum(column.rows for column in columns)
    found.set_column_index()
    return found


def _epoch_rate(model: Any, loader: Any) -> float:
    """Return samples/s of an epoch without validation, its data loader included."""
    model._eval_steps, model._total_steps = len(loader) + 1, 0
    started = time.perf_counter()
    model.train_epoch(loader)
    return float(loader.num_samples / (time.perf_counter() - started))


def _step_rate(model: Any, loader: Any, batches: int = 60) -> float:
    """Return samples/s of the training step on batches that were collated before."""
    ready = [batch for batch, _ in zip(loader, range(batches), strict=False)]
    samples = sum(len(batch["label"]) for batch in ready)
    started = time.perf_counter()
    for batch in ready:
        model.train_step(batch)
    return samples / (time.perf_counter() - started)
