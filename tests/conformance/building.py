"""Building and fitting the models under test."""

from __future__ import annotations

from collections.abc import Callable

import torch
from tests.conformance.batches import make_batch
from tests.conformance.cases import Case
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from hotrow.embedding import EmbeddingTables, TableOptimizerConfig
from hotrow.layers.inference import Networks, Precision, for_inference
from hotrow.layers.inference.calibration import observe, quantization
from hotrow.layers.inference.quantizable import layers_to_quantize
from hotrow.models import ModelConfig, RankingModel, build_model
from hotrow.types import Batch


def build(name: str, config: ModelConfig, *, seed: int = 0, table_lr: float | None = None) -> RankingModel:
    """Build a model; with a learning rate its tables are trained in backward."""
    optimizer = None if table_lr is None else TableOptimizerConfig(kind="rowwise_adagrad", lr=table_lr)
    tables = EmbeddingTables(config.tables, features=config.features(), optimizer=optimizer, seed=seed)
    return build_model(name, config, tables, seed=seed)


def make_model(case: Case, *, seed: int = 0, table_lr: float | None = None) -> RankingModel:
    """Build a preset for its inputs."""
    return build(case.preset, case.config, seed=seed, table_lr=table_lr)


def loss_of(model: RankingModel, batch: Batch) -> Tensor:
    """Return the mean loss over the examples, of all tasks that the model learns."""
    assert batch.labels is not None
    logits, auxiliary = model.training_output(batch)
    labels = batch.labels if batch.labels.ndim == logits.ndim else batch.labels[:, 0]
    loss = binary_cross_entropy_with_logits(logits, labels, reduction="sum")
    return (loss if auxiliary is None else loss + auxiliary) / len(batch)


def fit(model: RankingModel, batches: Callable[[int], Batch], *, steps: int, lr: float = 3e-3) -> list[float]:
    """Train a model and put it into evaluation mode; return the losses."""
    optimizer = torch.optim.Adam([parameter for _, parameter in model.dense_parameters()], lr=lr)
    losses = []
    model.train()
    for step in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, batches(step))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses


def fit_a_little(case: Case, *, seed: int = 0) -> RankingModel:
    """Return a preset after a few steps on noise, its tables no longer as small as at the start."""
    model = make_model(case, seed=seed, table_lr=0.1)
    fit(model, lambda step: make_batch(case.inputs, 32, seed=1000 + step), steps=5)
    return model


def served(case: Case, model: RankingModel, networks: Networks | None = None) -> RankingModel:
    """Return a copy of a fitted model with layers for inference."""
    copy = make_model(case, table_lr=0.1).eval()
    copy.load_state_dict(model.state_dict())
    return for_inference(copy, networks or Networks())


def networks_in(precision: Precision, case: Case, model: RankingModel) -> Networks:
    """Return networks of a precision; int8 layers are calibrated on a batch of their own."""
    if precision != "int8":
        return Networks(precision=precision)
    seen = observe(model, layers_to_quantize(model), lambda: [make_batch(case.inputs, 300, seed=17)])
    forms = {name: quantization(inputs, "largest") for name, inputs in seen.items()}
    return Networks(precision="int8", inputs=forms) if forms else Networks()


def logits_of(model: RankingModel, batch: Batch) -> Tensor:
    """Return logits without gradients."""
    with torch.no_grad():
        out: Tensor = model(batch)
    return out
