"""What the implementations of the lookup agree on.

Shapes: B batch, T tables, F features, L lookups, E rows, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from torch import Tensor

from hotrow.kernels.row_formats import RowFormat

MAX_ROWS: Final = 2**32 - 1
"""Rows of a table, as lookups are sorted by rows of 32 bits."""

Pooling = Literal["sum", "mean", "none"]
OptimizerKind = Literal["sgd", "momentum", "rowwise_adagrad", "adagrad", "adam", "lamb"]
DecayKind = Literal["l2", "decoupled"]

ROW_STATES: Final[frozenset[tuple[OptimizerKind, str]]] = frozenset({("rowwise_adagrad", "accumulator")})
"""The states that have one number per row, (E,); all others are (E, D)."""

STATES: Final[dict[OptimizerKind, tuple[str, ...]]] = {
    "sgd": (),
    "momentum": ("momentum",),
    "rowwise_adagrad": ("accumulator",),
    "adagrad": ("accumulator",),
    "adam": ("exp_avg", "exp_avg_sq"),
    "lamb": ("exp_avg", "exp_avg_sq"),
}
"""The float32 states of each optimizer, in the order in which kernels take them."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: E rows of D numbers, stored as ``format`` says."""

    name: str
    rows: int
    width: int
    format: RowFormat = "fp32"


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One stream of ids.

    Attributes:
        name: named in messages.
        table: position of the table it looks up; several features may share one.
        pooling: ``sum`` or ``mean`` of a bag's rows; ``none`` keeps every row.
        padding: ids equal to it count as absent: no part of a sum or mean, a row of zeros without
            pooling, no gradient. It may lie outside the table, e.g. -1.
    """

    name: str
    table: int
    pooling: Pooling = "sum"
    padding: int | None = None


@dataclass(frozen=True, eq=False)
class Layout:
    """The tables and features of one lookup: all that does not change from batch to batch.

    Compared by identity: what a backend prepares for a layout is kept as long as the layout is.

    Attributes:
        tables: the T tables.
        features: the F features.
        columns: first column of each feature in the pooled result; of no meaning without pooling.
        pooled_width: columns of the pooled result, the sum of D over the pooled features.
        sequence_features: positions of the features without pooling.
    """

    tables: tuple[TableSpec, ...]
    features: tuple[FeatureSpec, ...]
    columns: tuple[int, ...] = field(init=False)
    pooled_width: int = field(init=False)
    sequence_features: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._check()
        columns, column = [], 0
        for feature in self.features:
            columns.append(column)
            column += 0 if feature.pooling == "none" else self.tables[feature.table].width
        unpooled = tuple(i for i, feature in enumerate(self.features) if feature.pooling == "none")
        object.__setattr__(self, "columns", tuple(columns))
        object.__setattr__(self, "pooled_width", column)
        object.__setattr__(self, "sequence_features", unpooled)

    def _check(self) -> None:
        if not self.tables or not self.features:
            raise ValueError("layout: expected at least one table and one feature")
        for table in self.tables:
            if not 1 <= table.rows <= MAX_ROWS or table.width < 1:
                raise ValueError(
                    f"table {table.name}: got {table.rows} rows of width {table.width}, "
                    "expected at least 1 of each and fewer than 2**32 rows"
                )
        for feature in self.features:
            if not 0 <= feature.table < len(self.tables):
                raise ValueError(
                    f"feature {feature.name}: got table {feature.table} of {len(self.tables)} tables"
                )

    def sequences_size(self, bags: Bags) -> int:
        """Return the numbers in the result of all features without pooling."""
        features = self.sequence_features
        return sum(bags.count(f) * self.tables[self.features[f].table].width for f in features)


@dataclass(frozen=True, slots=True)
class Bags:
    """The ids of one batch, in one of two layouts.

    Attributes:
        ids: int32 or int64; (B, F) with one id per bag when ``offsets`` is None, else (L,)
            feature-major.
        offsets: (F * B + 1,) int64, or None; bag b of feature f is
            ``ids[offsets[f*B+b] : offsets[f*B+b+1]]``.
        num_features: F.
        weights: float32, shaped as ``ids``: each looked-up row is multiplied by its weight.
    """

    ids: Tensor
    offsets: Tensor | None
    num_features: int
    weights: Tensor | None = None

    @property
    def batch_size(self) -> int:
        """B."""
        if self.offsets is None:
            return int(self.ids.shape[0])
        return (int(self.offsets.numel()) - 1) // self.num_features if self.num_features else 0

    def bounds(self, feature: int) -> tuple[int, int]:
        """Return where a feature's lookups begin and end in jagged ``ids``.

        Raises:
            BadOffsetsError: they end before they begin, or lie outside ``ids``.
        """
        assert self.offsets is not None
        batch = self.batch_size
        first, last = int(self.offsets[feature * batch]), int(self.offsets[(feature + 1) * batch])
        if not 0 <= first <= last <= self.ids.numel():
            self.check_offsets()
        return first, last

    def check_offsets(self) -> None:
        """Raise BadOffsetsError unless the offsets begin at 0, never decrease and end at L."""
        if self.offsets is None:
            return
        last = self.offsets.numel() - 1
        wrong = (self.offsets[1:] < self.offsets[:-1]) | (self.offsets[1:] > self.ids.numel())
        if int(self.offsets[0]) != 0:
            raise BadOffsetsError(0)
        if bool(wrong.any()):
            raise BadOffsetsError(int(wrong.nonzero()[0]))
        if int(self.offsets[last]) != self.ids.numel():
            raise BadOffsetsError(last - 1)

    def count(self, feature: int) -> int:
        """Return the number of lookups of one feature."""
        if self.offsets is None:
            return self.batch_size
        first, last = self.bounds(feature)
        return last - first


@dataclass(frozen=True, slots=True)
class Embedded:
    """The result of a lookup, or its gradient.

    Attributes:
        pooled: (B, sum of D over pooled features), features side by side in order.
        sequences: (sum over unpooled features of L_f * D_f,), one feature after the other, each a
            row-major (L_f, D_f).
    """

    pooled: Tensor
    sequences: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One optimizer step on the rows that a batch touched; untouched rows keep rows and states.

    g, (D,), is the sum of a row's gradients over the whole batch, so a row is stepped once however
    often it occurs. In order: g is clamped to +-``clip_value``; scaled to a norm of at most
    ``clip_norm``; ``l2`` decay adds ``weight_decay * row`` to g, ``decoupled`` decay multiplies row
    by ``1 - lr * weight_decay``; then, with ``mean`` over D:

    ===============  ============================================================================
    sgd              row -= lr * g
    momentum         m = beta1 * m + g; row -= lr * m
    rowwise_adagrad  a += mean(g**2); row -= lr * g / (sqrt(a) + eps)
                     (FBGEMM's EXACT_ROWWISE_ADAGRAD)
    adagrad          a += g**2; row -= lr * g / (sqrt(a) + eps)
    adam             m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g**2;
                     u = (m / (1 - beta1**step)) / (sqrt(v / (1 - beta2**step)) + eps);
                     row -= lr * u
    lamb             u as for adam, plus ``weight_decay * row`` if decay is decoupled (then the row
                     is not multiplied); row -= lr * ratio * u with ratio = |row| / |u| per row,
                     1 where either norm is 0 (arXiv 1904.00962, a row being a layer)
    ===============  ============================================================================

    Attributes:
        kind: the optimizer.
        lr: learning rate of this step.
        eps: as above.
        beta1: as above; the momentum of ``momentum``.
        beta2: as above.
        weight_decay: 0 for none.
        decay: how ``weight_decay`` acts.
        clip_value: clamp of each element of g, or None.
        clip_norm: largest Euclidean norm of g, or None.
        step: number of this step, from 1: Adam's bias correction, and the stream of the rounding.
        stochastic: whether fp16 and bf16 rows are rounded stochastically rather than to nearest even.
        seed: of the stochastic rounding.
        check_finite: whether a gradient that is NaN or infinite is refused before anything is written.
    """

    kind: OptimizerKind
    lr: float
    eps: float = 1e-8
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.0
    decay: DecayKind = "l2"
    clip_value: float | None = None
    clip_norm: float | None = None
    step: int = 1
    stochastic: bool = True
    seed: int = 0
    check_finite: bool = False


States = Sequence[Sequence[Tensor]]
"""For each table, its optimizer's states in the order of ``STATES``."""


class Implementation(Protocol):
    """The functions that every backend of ``embedding_bag`` has; arguments are checked before."""

    def forward(
        self, tables: Sequence[Tensor], layout: Layout, bags: Bags, checksums: Sequence[Tensor] | None = None
    ) -> Embedded:
        """Look up and pool; an empty bag gives zeros. Verifies where ``checksums`` are given.

        Raises:
            BadIdError: an id is outside its table.
            BadOffsetsError: offsets decrease.
            BadBagError: a bag does not agree with the checksums.
        """

    def make_checksums(self, tables: Sequence[Tensor], layout: Layout) -> list[Tensor]:
        """Return the checksums (E, 8) uint8 of each table's rows."""

    def verify(
        self,
        tables: Sequence[Tensor],
        layout: Layout,
        bags: Bags,
        checksums: Sequence[Tensor],
        result: Embedded,
    ) -> None:
        """Check what ``forward`` gave; raises as that does."""

    def backward_update(
        self,
        tables: Sequence[Tensor],
        states: States,
        layout: Layout,
        bags: Bags,
        grad: Embedded,
        update: Update,
    ) -> None:
        """Step the optimizer, writing tables and states in place; nothing is written on an error."""

    def weights_gradient(
        self, tables: Sequence[Tensor], layout: Layout, bags: Bags, grad: Embedded
    ) -> Tensor:
        """Return the gradient of ``bags.weights``, in its shape; zero for padding."""


class BadIdError(Exception):
    """The first id outside its table, in order of ``ids`` within the first such feature."""

    def __init__(self, feature: int, position: int, bad_id: int) -> None:
        self.feature = feature
        self.position = position  # among the feature's lookups
        self.bad_id = bad_id
        super().__init__(feature, position, bad_id)


class BadOffsetsError(Exception):
    """The first bag whose end lies before its beginning, or outside ``ids``."""

    def __init__(self, bag: int) -> None:
        self.bag = bag  # f * B + b
        super().__init__(bag)


class BadBagError(Exception):
    """The first bag, in order of features, whose rows or result do not agree with the checksums."""

    def __init__(self, feature: int, position: int) -> None:
        self.feature = feature
        self.position = position  # among the feature's bags; without pooling among its lookups
        super().__init__(feature, position)
