"""Gradients reach all that there is to learn, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from tests.conformance.batches import make_batch, split_lists
from tests.conformance.building import loss_of, make_model
from tests.conformance.cases import Case
from torch import Tensor

from hotrow.models import ModelConfig
from hotrow.types import Batch


def ids_by_table(config: ModelConfig, batch: Batch) -> Iterator[tuple[str, Tensor]]:
    """Yield for each table and each feature that is looked up in it the ids of a batch."""
    inputs = config.inputs()
    names = (*inputs.names, *(feature.name for feature in inputs.lists))
    columns = [*batch.ids.t(), *(torch.cat(bags) for bags in split_lists(batch))]
    of_name = dict(zip(names, columns, strict=True))
    for feature in config.features():
        yield feature.table, of_name[feature.name.rpartition(".")[2]]


def test_gradient_reaches_every_network_parameter(case: Case) -> None:
    model = make_model(case)
    loss_of(model, make_batch(case.inputs, 64)).backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.dense_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_gradient_reaches_the_looked_up_rows_of_every_table(case: Case) -> None:
    # With these weights no row meets only ReLUs that are off, which small networks of zero biases may do.
    model, config = make_model(case, seed=2), case.config
    batch = make_batch(case.inputs, 24)
    loss_of(model, batch).backward()  # type: ignore[no-untyped-call]
    looked_up = {table.name: torch.zeros(table.rows, dtype=torch.bool) for table in config.tables}
    for name, ids in ids_by_table(config, batch):
        looked_up[name][ids.long()] = True
    weights = dict(model.embeddings.named_parameters())
    for index, table in enumerate(config.tables):
        gradient = weights[f"weight_{index}"].grad
        assert gradient is not None, table.name
        is_reached = (gradient.to_dense() != 0).any(dim=1)
        assert torch.equal(is_reached, looked_up[table.name]), table.name
