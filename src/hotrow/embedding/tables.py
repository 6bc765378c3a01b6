"""``EmbeddingTables``: T tables looked up together, with a fused optimizer.

Shapes: B batch, T tables, E rows of a table, D its width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hotrow.embedding._state import load_tables, save_tables
from hotrow.embedding.config import TableConfig, TableOptimizerConfig
from hotrow.embedding.initial import uniform_rows, zero_accumulators
from hotrow.kernels.dispatch import Backend, BackendName
from hotrow.kernels.embedding_bag import (
    OPERATOR,
    Bags,
    Update,
    fused_embedding_bag,
    sparse_embedding_bag,
)
from hotrow.types import Jagged


class EmbeddingTables(nn.Module):
    """Sum-pooled embedding tables, usable in any PyTorch model.

    With an ``optimizer``, the tables are not parameters: ``loss.backward()`` updates the touched
    rows, once each however often they occur in the batch, with the same bits whatever the number
    of threads. With ``optimizer=None`` they are parameters that get sparse gradients, for an
    optimizer outside such as ``torch.optim.SparseAdam``.

    Weights start as DLRM's do, uniform in +-1/sqrt(E), and depend only on ``seed`` and the table's
    name and shape. A state dict has ``tables.<name>.weight`` (E, D), and for row-wise Adagrad
    ``tables.<name>.accumulator`` (E,).

    Args:
        tables: the T tables; names must differ.
        optimizer: the fused optimizer, or None.
        seed: of the initial weights.
        backend: which implementation of the lookup runs.

    >>> tables = EmbeddingTables([TableConfig(name="ad", rows=1000, width=16)],
    ...                          optimizer=TableOptimizerConfig(kind="sgd", lr=0.1))
    >>> tables(torch.tensor([[3], [999]])).shape
    torch.Size([2, 16])
    """

    def __init__(
        self,
        tables: Sequence[TableConfig],
        *,
        optimizer: TableOptimizerConfig | None,
        seed: int = 0,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        weights = [uniform_rows(table.name, table.rows, table.width, seed) for table in tables]
        self._set_up(tables, weights, optimizer, backend, trains=True)

    @classmethod
    def from_weights(
        cls, tables: Sequence[TableConfig], weights: Mapping[str, Tensor], *, backend: Backend = "auto"
    ) -> EmbeddingTables:
        """Adopt given weights without copying them, e.g. memory-mapped ones; for inference only.

        Args:
            tables: the T tables.
            weights: (E, D) float32, contiguous, by table name.
            backend: which implementation of the lookup runs.

        Raises:
            ValueError: a table's weight is missing or has another shape than its config.
        """
        for table in tables:
            shape = tuple(weights[table.name].shape) if table.name in weights else None
            if shape != (table.rows, table.width):
                raise ValueError(f"table {table.name}: got {shape}, expected {(table.rows, table.width)}")
        module = cls.__new__(cls)
        nn.Module.__init__(module)
        module._set_up(tables, [weights[table.name] for table in tables], None, backend, trains=False)
        return module

    def _set_up(
        self,
        tables: Sequence[TableConfig],
        weights: Sequence[Tensor],
        optimizer: TableOptimizerConfig | None,
        backend: Backend,
        *,
        trains: bool,
    ) -> None:
        names = [table.name for table in tables]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"tables: expected at least one, with different names, got {names}")
        self._tables = tuple(tables)
        self._names = names
        self._optimizer = optimizer
        self._lr = 0.0 if optimizer is None else optimizer.lr
        self._trains = trains
        self._backend = OPERATOR.select(backend).backend
        self._anchor = torch.zeros(1, requires_grad=True)
        for index, weight in enumerate(weights):
            if optimizer is None and trains:
                self.register_parameter(f"weight_{index}", nn.Parameter(weight))
            else:
                self.register_buffer(f"weight_{index}", weight)
            if optimizer is not None and optimizer.kind == "rowwise_adagrad":
                self.register_buffer(f"accumulator_{index}", zero_accumulators(weight.shape[0]))

    @property
    def tables(self) -> tuple[TableConfig, ...]:
        """The tables, in order."""
        return self._tables

    @property
    def optimizer(self) -> TableOptimizerConfig | None:
        """The fused optimizer's configuration."""
        return self._optimizer

    @property
    def backend(self) -> BackendName:
        """The implementation that lookups run on."""
        return self._backend

    @property
    def learning_rate(self) -> float:
        """Learning rate that the next backward will use."""
        return self._lr

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate of the fused optimizer, from the next backward on."""
        self._lr = lr

    def table_weight(self, name: str) -> Tensor:
        """Return a table's weight (E, D); writing to it changes the table.

        Raises:
            KeyError: there is no table of that name.
        """
        if name not in self._names:
            raise KeyError(name)
        return self._of_each_table("weight")[self._names.index(name)].detach()

    def forward(self, ids: Tensor | Jagged) -> Tensor:
        """Look up and sum.

        Args:
            ids: (B, T) int32 or int64, one id for each table; or ``Jagged`` bags, table-major.

        Returns:
            (B, sum of D) float32, tables side by side; an empty bag is zeros.

        Raises:
            IndexError: names the table and the id that is outside it.
        """
        if isinstance(ids, Jagged):
            bags = Bags(ids.ids, ids.offsets, len(self._tables))
        else:
            bags = Bags(ids, None, len(self._tables))
        weights = self._of_each_table("weight")
        if self._optimizer is None:
            return sparse_embedding_bag(weights, bags, names=self._names, backend=self._backend)
        states = self._of_each_table("accumulator") if self._optimizer.kind == "rowwise_adagrad" else []
        return fused_embedding_bag(
            weights, states, bags, self._update, self._anchor, names=self._names, backend=self._backend
        )

    def extra_repr(self) -> str:
        """Return the line shown inside ``print(module)``."""
        rows = sum(table.rows for table in self._tables)
        return (
            f"{len(self._tables)} tables, {rows} rows, backend={self._backend}, optimizer={self._optimizer}"
        )

    def _update(self) -> Update:
        assert self._optimizer is not None
        return Update(self._optimizer.kind, self._lr, self._optimizer.eps)

    def _of_each_table(self, kind: str) -> list[Tensor]:
        stored = self._parameters if f"{kind}_0" in self._parameters else self._buffers
        tensors = [stored[f"{kind}_{index}"] for index in range(len(self._tables))]
        return [tensor for tensor in tensors if tensor is not None]

    def _entries(self) -> dict[str, Tensor]:
        """Return what a state dict holds, by the names it has there."""
        entries = {}
        for kind in ("weight", "accumulator"):
            if f"{kind}_0" in self._parameters or f"{kind}_0" in self._buffers:
                for name, tensor in zip(self._names, self._of_each_table(kind), strict=True):
                    entries[f"tables.{name}.{kind}"] = tensor
        return entries

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        save_tables(self._entries(), destination, prefix, keep_vars=keep_vars)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        load_tables(
            self._entries(), state_dict, prefix, missing_keys, unexpected_keys, error_msgs, strict=strict
        )
