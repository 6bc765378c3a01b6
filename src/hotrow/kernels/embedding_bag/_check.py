"""Checks of arguments, once, before a backend sees them; and its complaints as errors for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from hotrow.errors import SoftErrorDetected
from hotrow.kernels.dispatch import Backend, Selected
from hotrow.kernels.embedding_bag._backends import OPERATOR
from hotrow.kernels.embedding_bag._types import (
    ROW_STATES,
    STATES,
    BadBagError,
    BadIdError,
    BadOffsetsError,
    Bags,
    Embedded,
    Implementation,
    Layout,
    OptimizerKind,
    States,
    Update,
)
from hotrow.kernels.embedding_bag.checksums import CHECKSUM_BYTES
from hotrow.kernels.row_formats import FLOAT_DTYPES, storage_dtype, storage_shape

MAX_LOOKUPS = 2**31  # lookups of a batch are numbered in 32 bits; addresses have 64


_Appearance = tuple[int, torch.Size, tuple[int, ...], torch.dtype]

_checked: WeakKeyDictionary[Layout, list[_Appearance]] = WeakKeyDictionary()
"""For each layout the tensors that fast backends found to fit it, and their addresses."""

_States = tuple[OptimizerKind, list[list[_Appearance]]]

_checked_states: WeakKeyDictionary[Layout, _States] = WeakKeyDictionary()
"""For each layout the optimizer's states that were found to fit it, with float32 tables."""


def check_batch(
    tables: Sequence[Tensor],
    layout: Layout,
    bags: Bags,
    backend: Backend,
    checksums: Sequence[Tensor] | None = None,
) -> Selected[Implementation]:
    _check_bags(bags, layout)
    device = bags.ids.device
    selected = OPERATOR.select(backend, device=device.type)
    seen = [_appearance(tensor) for tensor in (*tables, *(checksums or ()))]
    if selected.backend == "reference" or _checked.get(layout) != seen:
        check_tables(tables, layout, selected.backend)
        if checksums is not None:
            _check_checksums(tables, layout, checksums)
        if selected.backend != "reference":  # which takes what others do not
            _checked[layout] = seen
    if tables[0].device != device:
        raise ValueError(f"ids: on {device}, the tables are on {tables[0].device}")
    for name, part in (("offsets", bags.offsets), ("weights", bags.weights)):
        if part is not None and part.device != device:
            raise ValueError(f"{name}: on {part.device}, expected on {device} as the ids")
    if selected.backend == "cpu" and device.type != "cpu":
        raise ValueError(f"ids: the cpu backend takes tensors in host memory, got {device}")
    return selected


def _appearance(tensor: Tensor) -> _Appearance:
    """Return all that a check of a table depends on, to be compared with that of the next call."""
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def contiguous(bags: Bags) -> Bags:
    parts = (bags.ids, bags.offsets, bags.weights)
    if all(part is None or part.is_contiguous() for part in parts):
        return bags
    ids, offsets, weights = (None if part is None else part.contiguous() for part in parts)
    assert ids is not None
    return Bags(ids, offsets, bags.num_features, weights)


def _check_bags(bags: Bags, layout: Layout) -> None:
    features, ids, offsets, weights = len(layout.features), bags.ids, bags.offsets, bags.weights
    if bags.num_features != features:
        raise ValueError(f"ids: of {bags.num_features} features, expected {features}")
    if ids.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"ids: got {ids.dtype}, expected int32 or int64")
    if max(ids.numel(), bags.batch_size) >= MAX_LOOKUPS:
        raise ValueError(f"ids: got {ids.numel()} of {bags.batch_size} examples, expected fewer than 2**31")
    if weights is not None and (weights.shape != ids.shape or weights.dtype != torch.float32):
        got = f"{weights.dtype} of shape {tuple(weights.shape)}"
        raise ValueError(f"weights: got {got}, expected float32 shaped as the ids, {tuple(ids.shape)}")
    if offsets is None:
        if ids.ndim != 2 or ids.shape[1] != features:
            raise ValueError(f"ids: got shape {tuple(ids.shape)}, expected (B, {features})")
        return
    if ids.ndim != 1:
        raise ValueError(f"ids: got shape {tuple(ids.shape)}, expected (L,) where there are offsets")
    if offsets.ndim != 1 or offsets.dtype != torch.int64:
        raise ValueError(f"offsets: got {offsets.dtype} of {offsets.ndim} dimensions, expected int64 of one")
    if offsets.numel() != bags.batch_size * features + 1 or offsets.numel() == 0:
        raise ValueError(f"offsets: got {offsets.numel()} numbers, expected F * B + 1 with F = {features}")


def check_tables(tables: Sequence[Tensor], layout: Layout, backend: str) -> None:
    if len(tables) != len(layout.tables):
        raise ValueError(f"tables: got {len(tables)}, expected {len(layout.tables)}")
    for tensor, spec in zip(tables, layout.tables, strict=True):
        expected = storage_shape(spec.format, spec.rows, spec.width)
        if tuple(tensor.shape) != expected:
            raise ValueError(f"table {spec.name}: got shape {tuple(tensor.shape)}, expected {expected}")
        is_double = spec.format == "fp32" and backend == "reference" and tensor.dtype == torch.float64
        dtype = storage_dtype(spec.format)
        if tensor.dtype != dtype and not is_double:
            raise ValueError(f"table {spec.name}: got {tensor.dtype}, expected {dtype} for {spec.format}")
        if not tensor.is_contiguous() or tensor.device != tables[0].device:
            raise ValueError(f"table {spec.name}: expected contiguous, on the device of the other tables")
        if tensor.untyped_storage().nbytes() < tensor.nbytes:
            raise ValueError(f"table {spec.name}: its memory has been given back")


def _check_checksums(tables: Sequence[Tensor], layout: Layout, checksums: Sequence[Tensor]) -> None:
    if len(checksums) != len(tables):
        raise ValueError(f"checksums: got those of {len(checksums)} tables, expected {len(tables)}")
    for checksum, spec in zip(checksums, layout.tables, strict=True):
        expected = (spec.rows, CHECKSUM_BYTES)
        if tuple(checksum.shape) != expected or checksum.dtype != torch.uint8:
            got = f"{checksum.dtype} {tuple(checksum.shape)}"
            raise ValueError(f"checksums of table {spec.name}: got {got}, expected torch.uint8 {expected}")
        if not checksum.is_contiguous() or checksum.device != tables[0].device:
            raise ValueError(f"checksums of table {spec.name}: expected contiguous, on the tables' device")


def check_states(tables: Sequence[Tensor], states: States, layout: Layout, update: Update) -> None:
    seen = update.kind, [[_appearance(state) for state in of_table] for of_table in states]
    if _checked_states.get(layout) == seen:
        return
    _check_states(tables, states, layout, update)
    if tables[0].dtype != torch.float64:
        _checked_states[layout] = seen


def _check_states(tables: Sequence[Tensor], states: States, layout: Layout, update: Update) -> None:
    names = STATES[update.kind]
    if names and len(states) != len(tables):
        raise ValueError(f"states: got those of {len(states)} tables, expected {len(tables)}")
    for index, (tensor, spec) in enumerate(zip(tables, layout.tables, strict=True)):
        if spec.format not in FLOAT_DTYPES:
            raise ValueError(f"table {spec.name}: {spec.format} rows are for inference and take no update")
        of_table = states[index] if names else ()
        if len(of_table) != len(names):
            raise ValueError(f"states of table {spec.name}: got {len(of_table)}, expected {', '.join(names)}")
        for name, state in zip(names, of_table, strict=True):
            is_per_row = (update.kind, name) in ROW_STATES
            expected = (spec.rows,) if is_per_row else (spec.rows, spec.width)
            dtype = torch.float64 if tensor.dtype == torch.float64 else torch.float32
            fits = state.shape == expected and state.dtype == dtype and state.device == tensor.device
            if not fits or not state.is_contiguous():
                raise ValueError(
                    f"state {name} of table {spec.name}: got {state.dtype} {tuple(state.shape)} on "
                    f"{state.device}, expected {dtype} {expected} on {tensor.device}, contiguous"
                )


def check_result(result: Embedded, tables: Sequence[Tensor], layout: Layout, bags: Bags) -> Embedded:
    pooled_shape = (bags.batch_size, layout.pooled_width)
    if result.pooled.shape != pooled_shape:
        raise ValueError(
            f"result or gradient: got shape {tuple(result.pooled.shape)}, expected {pooled_shape}"
        )
    try:
        size = layout.sequences_size(bags)
    except BadOffsetsError as error:
        raise_problem(error, layout, bags)
    if result.sequences.shape != (size,):
        raise ValueError(f"sequences: got shape {tuple(result.sequences.shape)}, expected ({size},)")
    if not tables[0].device == result.pooled.device == result.sequences.device:
        raise ValueError(f"result or gradient: expected on {tables[0].device}, where the tables are")
    dtype = torch.float64 if tables[0].dtype == torch.float64 else torch.float32
    if all(part.dtype == dtype and part.is_contiguous() for part in (result.pooled, result.sequences)):
        return result
    return Embedded(result.pooled.to(dtype).contiguous(), result.sequences.to(dtype).contiguous())


def raise_problem(error: BadIdError | BadOffsetsError | BadBagError, layout: Layout, bags: Bags) -> NoReturn:
    if isinstance(error, BadOffsetsError):
        index, bag = divmod(error.bag, max(bags.batch_size, 1))
        name = layout.features[min(index, len(layout.features) - 1)].name
        raise ValueError(  # noqa: TRY004 - of the offsets, not of the error
            f"offsets: bag {bag} of feature {name}: expected offsets that begin at 0, never decrease and "
            f"end at the number of ids, {bags.ids.numel()}"
        ) from None
    feature = layout.features[error.feature]
    table = layout.tables[feature.table]
    if isinstance(error, BadBagError):
        is_lookup = feature.pooling == "none"
        example = _example(bags, error.feature, error.position)[0] if is_lookup else error.position
        raise SoftErrorDetected(feature.name, table.name, example) from None
    example, position = _example(bags, error.feature, error.position)
    place = f"example {example}" if bags.offsets is None else f"example {example}, position {position}"
    raise IndexError(
        f"feature {feature.name}: id {error.bad_id} at {place} is outside table "
        f"{table.name} of {table.rows} rows"
    ) from None


def _example(bags: Bags, feature: int, lookup: int) -> tuple[int, int]:
    """Return the example of one of a feature's lookups, and the lookup's position there."""
    if bags.offsets is None:
        return lookup, 0
    first = feature * bags.batch_size
    ends = bags.offsets[first : first + bags.batch_size + 1]
    at = lookup + int(ends[0])
    bag = int(torch.searchsorted(ends, at, right=True)) - 1
    return bag, at - int(ends[bag])
