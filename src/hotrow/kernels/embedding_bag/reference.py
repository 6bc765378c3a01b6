"""The lookup and its fused backward in plain PyTorch: the specification, on any device.

Works in float32, or in float64 where an "fp32" table holds that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hotrow.kernels.dispatch import note_path
from hotrow.kernels.embedding_bag._types import (
    BadBagError,
    BadIdError,
    Bags,
    Embedded,
    Layout,
    States,
    Update,
)
from hotrow.kernels.embedding_bag.checksums import Rows, first_bad_bag, sum_rows
from hotrow.kernels.embedding_bag.optimizers import step_rows
from hotrow.kernels.embedding_bag.rounding import random_words, round_rows, rounding_salt
from hotrow.kernels.row_formats import decode_rows


def forward(
    tables: Sequence[Tensor], layout: Layout, bags: Bags, checksums: Sequence[Tensor] | None = None
) -> Embedded:
    """Look up and pool, then verify."""
    note_path("embedding_bag_forward", "reference")
    bags.check_offsets()
    result = _look_up(tables, layout, bags)
    if checksums is not None:
        verify(tables, layout, bags, checksums, result)
    return result


def make_checksums(tables: Sequence[Tensor], layout: Layout) -> list[Tensor]:
    """Return the checksums of each table's rows."""
    note_path("embedding_bag_checksums", "reference")
    return [sum_rows(table, spec) for table, spec in zip(tables, layout.tables, strict=True)]


def verify(
    tables: Sequence[Tensor], layout: Layout, bags: Bags, checksums: Sequence[Tensor], result: Embedded
) -> None:
    """Check a lookup's rows and results."""
    note_path("embedding_bag_verify", "reference")
    bags.check_offsets()
    of_features = _of_features(layout, bags, result)
    again = _of_features(layout, bags, _look_up(tables, layout, bags))
    for feature, spec in enumerate(layout.features):
        lookups = feature_lookups(layout, bags, feature)
        rows_L = Rows(
            tables[spec.table][lookups.ids],
            checksums[spec.table][lookups.ids],
            lookups.places,
            lookups.weights,
        )
        bad = first_bad_bag(rows_L, of_features[feature], again[feature], mean=spec.pooling == "mean")
        if bad is not None:
            raise BadBagError(feature, bad)


def backward_update(
    tables: Sequence[Tensor], states: States, layout: Layout, bags: Bags, grad: Embedded, update: Update
) -> None:
    """Sum each touched row's gradients over the batch, then step the optimizer once per row."""
    note_path("embedding_bag_backward", "reference")
    bags.check_offsets()
    gathered = gather_gradients(layout, bags, grad)
    for index, (ids_L, grad_LD) in enumerate(gathered):
        spec, table = layout.tables[index], tables[index]
        rows_U, inverse_L = torch.unique(ids_L, return_inverse=True)
        grad_UD = grad_LD.new_zeros(rows_U.numel(), spec.width).index_add_(0, inverse_L, grad_LD)
        row_UD = decode_rows(table[rows_U], spec.format, spec.width)
        state = [tensor[rows_U] for tensor in states[index]] if states else []
        new_row_UD, new_state = step_rows(row_UD, grad_UD.to(row_UD.dtype), state, update)
        if spec.format != "fp32" and update.stochastic:
            words_UD = random_words(rows_U, spec.width, rounding_salt(update.seed, update.step, index))
            table[rows_U] = round_rows(new_row_UD, table.dtype, words_UD)
        else:
            table[rows_U] = new_row_UD.to(table.dtype)
        for tensor, value in zip(states[index] if states else [], new_state, strict=True):
            tensor[rows_U] = value


def weights_gradient(tables: Sequence[Tensor], layout: Layout, bags: Bags, grad: Embedded) -> Tensor:
    """Return for each lookup the product of its row and the gradient of its place."""
    note_path("embedding_bag_weights_gradient", "reference")
    assert bags.weights is not None
    bags.check_offsets()
    result = torch.zeros_like(bags.weights)
    flat_grads = _of_features(layout, bags, grad)
    for feature, spec in enumerate(layout.features):
        lookups = feature_lookups(layout, bags, feature)
        table = layout.tables[spec.table]
        rows_LD = decode_rows(tables[spec.table][lookups.ids], table.format, table.width)
        products_L = (rows_LD * flat_grads[feature][lookups.places]).sum(dim=1) * lookups.mean_factors
        if bags.offsets is None:
            result[lookups.kept, feature] = products_L.to(result.dtype)
        else:
            result[bags.bounds(feature)[0] + lookups.kept] = products_L.to(result.dtype)
    return result


def _look_up(tables: Sequence[Tensor], layout: Layout, bags: Bags) -> Embedded:
    dtype = torch.float64 if tables[0].dtype == torch.float64 else torch.float32
    pooled, sequences = [], [torch.empty(0, dtype=dtype, device=bags.ids.device)]
    for feature, spec in enumerate(layout.features):
        lookups = feature_lookups(layout, bags, feature)
        table = layout.tables[spec.table]
        rows_LD = decode_rows(tables[spec.table][lookups.ids], table.format, table.width)
        scaled_LD = rows_LD * lookups.scales(rows_LD.dtype)
        size = lookups.total if spec.pooling == "none" else bags.batch_size
        out = scaled_LD.new_zeros(size, table.width).index_add_(0, lookups.places, scaled_LD)
        if spec.pooling == "none":
            sequences.append(out.flatten())
        else:
            pooled.append(out)
    empty = torch.empty(bags.batch_size, 0, dtype=dtype, device=bags.ids.device)
    return Embedded(torch.cat([empty, *pooled], dim=1), torch.cat(sequences))


def gather_gradients(layout: Layout, bags: Bags, grad: Embedded) -> list[tuple[Tensor, Tensor]]:
    """Return for each table the row id (L,) and gradient (L, D) of every lookup, padding left out."""
    flat_grads = _of_features(layout, bags, grad)
    of_table: list[list[tuple[Tensor, Tensor]]] = [[] for _ in layout.tables]
    for feature, spec in enumerate(layout.features):
        lookups = feature_lookups(layout, bags, feature)
        grad_LD = flat_grads[feature][lookups.places] * lookups.scales(grad.pooled.dtype)
        of_table[spec.table].append((lookups.ids, grad_LD))
    gathered = []
    for parts, table in zip(of_table, layout.tables, strict=True):
        none = (bags.ids.new_empty(0).long(), grad.pooled.new_empty(0, table.width))
        ids, grads = zip(*(parts or [none]), strict=True)
        gathered.append((torch.cat(ids), torch.cat(grads)))
    return gathered


@dataclass(frozen=True, slots=True)
class Lookups:
    """One feature's lookups without padding, n in number.

    Attributes:
        ids: (n,) int64 rows.
        kept: (n,) positions among all the feature's lookups.
        places: (n,) rows of the feature's result that they go to.
        weights: (n,), or None.
        mean_factors: (n,) one over the number of the bag's lookups for mean pooling, else ones.
        total: number of lookups with padding.
    """

    ids: Tensor
    kept: Tensor
    places: Tensor
    weights: Tensor | None
    mean_factors: Tensor
    total: int

    def scales(self, dtype: torch.dtype) -> Tensor:
        """Return what each row is multiplied by, (n, 1)."""
        factors = self.mean_factors.to(dtype)
        return (factors if self.weights is None else factors * self.weights.to(dtype)).unsqueeze(1)


def feature_lookups(layout: Layout, bags: Bags, feature: int) -> Lookups:
    """Return one feature's lookups.

    Raises:
        BadIdError: an id is outside the feature's table.
    """
    spec = layout.features[feature]
    bag = torch.arange(bags.batch_size, device=bags.ids.device)
    if bags.offsets is None:
        ids, weights = bags.ids[:, feature].long(), bags.weights
        weights = None if weights is None else weights[:, feature]
    else:
        first, last = bags.bounds(feature)
        ends = bags.offsets[feature * bags.batch_size : (feature + 1) * bags.batch_size + 1]
        bag = torch.repeat_interleave(bag, ends.diff())
        ids = bags.ids[first:last].long()
        weights = None if bags.weights is None else bags.weights[first:last]
    kept = torch.arange(ids.numel(), device=ids.device)
    if spec.padding is not None:
        kept = kept[ids != spec.padding]
    rows = layout.tables[spec.table].rows
    bad = kept[(ids[kept] < 0) | (ids[kept] >= rows)]
    if bad.numel():
        raise BadIdError(feature, int(bad[0]), int(ids[bad[0]]))
    total, ids, bag = ids.numel(), ids[kept], bag[kept]
    factors = torch.ones(ids.numel(), dtype=torch.float64, device=ids.device)
    if spec.pooling == "mean":
        factors /= torch.bincount(bag, minlength=bags.batch_size)[bag]
    places = kept if spec.pooling == "none" else bag
    return Lookups(ids, kept, places, None if weights is None else weights[kept], factors, total)


def _of_features(layout: Layout, bags: Bags, result: Embedded) -> list[Tensor]:
    """Return each feature's part of a result or its gradient, (B, D) or (L_f, D)."""
    parts, place = [], 0
    for feature, spec in enumerate(layout.features):
        width = layout.tables[spec.table].width
        if spec.pooling == "none":
            size = bags.count(feature) * width
            parts.append(result.sequences[place : place + size].view(-1, width))
            place += size
        else:
            column = layout.columns[feature]
            parts.append(result.pooled[:, column : column + width])
    return parts
