"""``EmbeddingTables``: T tables looked up together, with a fused optimizer.

Shapes: B batch, T tables, F features, L lookups, E rows of a table, D its width.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hotrow.embedding._given import require_trainable, require_weights
from hotrow.embedding._state import load_tables, save_tables
from hotrow.embedding.accumulation import Accumulation
from hotrow.embedding.config import FeatureConfig, TableConfig, TableOptimizerConfig, make_layout
from hotrow.embedding.initial import uniform_rows, zero_states
from hotrow.embedding.lookup import Lookup, split_result
from hotrow.embedding.optimizer import FusedOptimizer
from hotrow.embedding.spent import Spent, TimedStep
from hotrow.errors import ConfigError
from hotrow.kernels.dispatch import Backend, BackendName
from hotrow.kernels.embedding_bag import (
    OPERATOR,
    Bags,
    Embedded,
    backward_update,
    fused_embedding_bag,
    library,
    make_checksums,
    sparse_embedding_bag,
)
from hotrow.types import Jagged


class EmbeddingTables(nn.Module):
    """Embedding tables, usable in any PyTorch model.

    With an ``optimizer``, the tables are not parameters: in training mode, ``loss.backward()`` updates
    the touched rows, once each however often they occur in the batch, with the same bits whatever the
    number of threads. Every lookup is a step of its own, looking up twice for one loss too, but within
    ``accumulating``, which makes one step of all; and a loss that was scaled must be
    unscaled before. After ``eval()`` nothing is updated, gradients or not.

    With ``optimizer=None`` they are parameters that get sparse gradients, for an optimizer outside such
    as ``torch.optim.SparseAdam``.

    Weights start as DLRM's do, uniform in +-1/sqrt(E), and depend only on ``seed`` and the table's
    name and shape. A state dict has ``tables.<name>.weight`` (E, D) and, with an optimizer, its states
    ``tables.<name>.<state>`` (``accumulator``, ``momentum``, ``exp_avg``, ``exp_avg_sq``) and ``step``.

    Several threads may look up at once. Lookups beside an update, and updates of several threads or of
    several processes on one shared table, do not wait for each other (Hogwild): a lookup may see a row
    half updated, and of two updates of one row at the same moment one may be lost. Processes share what
    is in shared memory, rows and states; each counts its own steps.

    Args:
        tables: the T tables; names must differ. fp32, fp16 or bf16.
        features: the F features; None: one summed feature for each table.
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
        features: Sequence[FeatureConfig] | None = None,
        optimizer: TableOptimizerConfig | None,
        seed: int = 0,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        require_trainable(tables)
        self._layout = make_layout(tables, features)
        weights = [uniform_rows(table, seed) for table in self._layout.tables]
        self._set_up(tables, weights, optimizer, backend, trains=True)

    @classmethod
    def from_weights(
        cls,
        tables: Sequence[TableConfig],
        weights: Mapping[str, Tensor],
        *,
        features: Sequence[FeatureConfig] | None = None,
        optimizer: TableOptimizerConfig | None = None,
        backend: Backend = "auto",
        checksums: bool = False,
    ) -> EmbeddingTables:
        """Adopt given weights without copying them, e.g. memory-mapped or shared ones.

        Args:
            tables: the T tables.
            weights: by table name, contiguous: (E, D) of the format's dtype, or quantised rows
                (E, row bytes) uint8 (see ``hotrow.kernels.row_formats``).
            features: the F features; None: one summed feature for each table.
            optimizer: the fused optimizer; None: for inference only.
            backend: which implementation of the lookup runs.
            checksums: detect flipped bits: 8 bytes for each row are made now, which reads all rows, and
                every lookup is verified with them (``hotrow.kernels.embedding_bag.checksums``) and raises
                ``SoftErrorDetected`` where it does not agree. The rows must not be written to.

        Raises:
            ConfigError: an optimizer together with quantised rows or ``checksums``.
            ValueError: a table's weight is missing, not contiguous, or has another shape or dtype than
                its config says.
        """
        if checksums and optimizer is not None:
            raise ConfigError("checksums", checksums, "no checksums of tables with an optimizer: rows change")
        module = cls.__new__(cls)
        nn.Module.__init__(module)
        module._layout = make_layout(tables, features)
        require_weights(tables, weights)
        if optimizer is not None:
            require_trainable(tables)
        module._set_up(tables, [weights[table.name] for table in tables], optimizer, backend, trains=False)
        if checksums:
            module._checks = True
            module._make_checksums()
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
        self._tables = tuple(tables)
        self._optimizer = None if optimizer is None else FusedOptimizer(optimizer)
        self._accumulation: Accumulation | None = None
        self.spent = Spent()
        states = () if self._optimizer is None else self._optimizer.states
        self._names = {
            kind: [f"{kind}_{index}" for index in range(len(tables))]
            for kind in ("weight", "checksums", *states)
        }
        self._layout_text = library.layout_text(self._layout)
        self._trains = trains
        self._checks = False
        self._wanted = backend
        OPERATOR.select(backend)  # refuses now a backend that is missing
        self._anchor = torch.zeros(1, device="cpu", requires_grad=True)
        for index, weight in enumerate(weights):
            if optimizer is None and trains:
                self.register_parameter(f"weight_{index}", nn.Parameter(weight))
            else:
                self.register_buffer(f"weight_{index}", weight)
        if self._optimizer is None:
            return
        zeros = zero_states(self._layout.tables, self._optimizer.config.kind, weights[0].device)
        for index, of_table in enumerate(zeros):
            for name, state in zip(self._optimizer.states, of_table, strict=True):
                self.register_buffer(f"{name}_{index}", state)

    @property
    def tables(self) -> tuple[TableConfig, ...]:
        """The tables, in order."""
        return self._tables

    @property
    def optimizer(self) -> TableOptimizerConfig | None:
        """The fused optimizer's configuration."""
        return None if self._optimizer is None else self._optimizer.config

    @property
    def backend(self) -> BackendName:
        """The implementation that lookups run on."""
        device = self._of_each_table("weight")[0].device
        return OPERATOR.select(self._wanted, device=device.type).backend

    @property
    def learning_rate(self) -> float:
        """Learning rate that the next backward will use; 0 without an optimizer."""
        return 0.0 if self._optimizer is None else float(self._optimizer.lr)

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate of the fused optimizer, from the next backward on.

        Raises:
            ConfigError: it is negative, infinite or NaN, or there is no fused optimizer.
        """
        if self._optimizer is None:
            raise ConfigError("tables.lr", lr, "none: these tables have no fused optimizer")
        self._optimizer.set_learning_rate(lr)

    def table_weight(self, name: str) -> Tensor:
        """Return a table's weight as it is stored; writing to it changes the table.

        Raises:
            KeyError: there is no table of that name.
        """
        for index, table in enumerate(self._tables):
            if table.name == name:
                return self._of_each_table("weight")[index].detach()
        raise KeyError(name)

    def forward(self, ids: Tensor | Jagged) -> Tensor:
        """Look up and pool.

        Args:
            ids: (B, F) int32 or int64, one id for each feature; or ``Jagged`` bags, feature-major.

        Returns:
            (B, sum of D) float32, features side by side; an empty bag is zeros.

        Raises:
            IndexError: names the feature, the place and the id that is outside its table.
            ValueError: a feature is not pooled (``lookup`` returns its sequence), or shapes or dtypes do
                not fit.
        """
        if self._layout.sequence_features:
            name = self._layout.features[self._layout.sequence_features[0]].name
            raise ValueError(f"feature {name} has no pooling: call lookup(), which returns its sequence too")
        return self._embed(self._bags(ids)).pooled

    def lookup(self, ids: Tensor | Jagged) -> Lookup:
        """Look up; as ``forward``, with the sequences of features that are not pooled."""
        bags = self._bags(ids)
        return split_result(self._embed(bags), self._layout, bags)

    @contextmanager
    def accumulating(self) -> Iterator[None]:
        """Make one step of all lookups in the block: that of one lookup of all their examples, to the bit.

        Gradients are added up, so each loss is to be divided by the number of all examples. The step is taken
        at the end of the block, with the learning rate of then; none is taken if the block raises, or no
        gradient came back. Results and their gradients are held until then. Lookups see the rows as they were
        before the block; do them all on one thread.

        Raises:
            ConfigError: the tables have no fused optimizer.
            RuntimeError: within another such block; from backward, after the block has ended.
            ValueError: ids of some lookups have offsets or weights, and of others not.
        """
        if self._optimizer is None:
            raise ConfigError("tables", None, "tables with a fused optimizer, to accumulate its gradients")
        if self._accumulation is not None:
            raise RuntimeError("these tables are accumulating already")
        accumulation = self._accumulation = Accumulation(self._layout)
        try:
            yield
            found = accumulation.joined()
        finally:
            self._accumulation = None
            accumulation.close()
        if found is not None:
            states = self._states_of_each_table()
            step = TimedStep(self._optimizer, self.spent)
            update = step.begin()
            weights = self._of_each_table("weight")
            backward_update(weights, states, self._layout, *found, update, backend=self._wanted)
            step.end()

    def extra_repr(self) -> str:
        """Return the line shown inside ``print(module)``."""
        rows = sum(table.rows for table in self._tables)
        return f"{len(self._tables)} tables, {rows} rows, backend={self.backend}, optimizer={self.optimizer}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> EmbeddingTables:
        """Move to another device; ``half()`` and the like leave rows in their format and states in fp32."""

        def keep_dtype(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        super()._apply(keep_dtype, recurse)  # type: ignore[no-untyped-call]
        return self

    def _bags(self, ids: Tensor | Jagged) -> Bags:
        features = len(self._layout.features)
        if isinstance(ids, Jagged):
            return Bags(ids.ids, ids.offsets, features, ids.weights)
        return Bags(ids, None, features)

    def _embed(self, bags: Bags) -> Embedded:
        weights = self._of_each_table("weight")
        if torch.compiler.is_compiling():
            return self._embed_compiled(bags, weights)
        started = time.perf_counter()
        found = self._embed_eager(bags, weights)
        self.spent.lookup += time.perf_counter() - started
        return found

    def _embed_eager(self, bags: Bags, weights: list[Tensor]) -> Embedded:
        if self._optimizer is None or not self.training:
            return self._embed_unfused(bags, weights)
        if self._accumulation is not None and torch.is_grad_enabled():
            return self._accumulation.add(bags, self._embed_unfused(bags, weights))
        step = TimedStep(self._optimizer, self.spent)
        return fused_embedding_bag(
            weights,
            self._states_of_each_table(),
            self._layout,
            bags,
            step.begin,
            self._anchor,
            stepped=step.end,
            backend=self._wanted,
        )

    def _make_checksums(self) -> None:
        made = make_checksums(self._of_each_table("weight"), self._layout, backend=self._wanted)
        for index, of_table in enumerate(made):
            self.register_buffer(f"checksums_{index}", of_table)

    def _embed_unfused(self, bags: Bags, weights: list[Tensor]) -> Embedded:
        checksums = self._of_each_table("checksums") if self._checks else None
        return sparse_embedding_bag(weights, self._layout, bags, checksums=checksums, backend=self._wanted)

    def _embed_compiled(self, bags: Bags, weights: list[Tensor]) -> Embedded:
        ids = (bags.ids, bags.offsets, bags.weights)
        if self._checks or (self._optimizer is None and self._trains and torch.is_grad_enabled()):
            from hotrow.embedding._uncompiled import uncompiled_embedding_bag

            checksums = self._of_each_table("checksums") if self._checks else None
            return uncompiled_embedding_bag(
                weights, self._layout, bags, checksums=checksums, backend=self._wanted
            )
        optimizer = self._optimizer if self.training and torch.is_grad_enabled() else None
        if optimizer is not None and self._accumulation is not None:
            raise RuntimeError(
                "compiled lookups step the tables one by one; accumulate without torch.compile"
            )
        if optimizer is None or torch.compiler.is_exporting():
            return Embedded(*library.embedding_bag(weights, *ids, self._layout_text, self._wanted))
        states = [state for of_table in self._states_of_each_table() for state in of_table]
        texts = (self._layout_text, optimizer.text, self._wanted)
        arguments = (self._anchor, weights, states, optimizer.step, *ids, optimizer.lr, *texts)
        return Embedded(*library.fused_embedding_bag(*arguments))

    def _states_of_each_table(self) -> list[tuple[Tensor, ...]]:
        assert self._optimizer is not None
        of_each_kind = [self._of_each_table(name) for name in self._optimizer.states]
        return list(zip(*of_each_kind, strict=True))

    def _of_each_table(self, kind: str) -> list[Tensor]:
        names = self._names[kind]
        stored = self._parameters if names[0] in self._parameters else self._buffers
        return [tensor for name in names if (tensor := stored[name]) is not None]

    def _entries(self) -> dict[str, Tensor]:
        """Return what a state dict holds, by the names it has there."""
        entries = {}
        states = () if self._optimizer is None else self._optimizer.states
        for kind in ("weight", *states):
            for table, tensor in zip(self._tables, self._of_each_table(kind), strict=True):
                entries[f"tables.{table.name}.{kind}"] = tensor
        if self._optimizer is not None:
            entries["step"] = self._optimizer.step
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
        if self._checks:
            self._make_checksums()
