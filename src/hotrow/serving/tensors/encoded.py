"""Encoded rows as tensors: dense values transformed, ids as rows of the tables.

They are for clients that keep the vocabularies themselves: nothing is left to be done before the lookup.

    encoded.dense      FP32   (B, N)    finite numbers
    encoded.ids        INT32  (B, F)
    encoded.list.NAME  INT32  (V,)    ids of all rows, for each list feature
    lengths.NAME       INT32  (B,)    how many of them are each row's
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.errors import RequestError
from hotrow.serving.info import ENCODED_DENSE, ENCODED_IDS, ENCODED_LIST, LENGTHS, ModelInfo
from hotrow.serving.limits import Limits
from hotrow.serving.protocol import InferRequest, InputTensor
from hotrow.serving.tensors.elements import array, require_datatype

_PREFIX = "encoded."


def is_encoded(request: InferRequest) -> bool:
    """Tell whether a request has encoded rows."""
    return any(tensor.name.startswith(_PREFIX) for tensor in request.inputs)


def read_encoded(
    request: InferRequest, data: Mapping[str, memoryview], info: ModelInfo, limits: Limits
) -> EncodedBlock:
    """Check the inputs of a request and return its rows; of binary data they are views.

    Args:
        request: as it was decoded.
        data: of binary tensors, by name.
        info: the model.
        limits: bounds on requests.

    Raises:
        RequestError: names the input, what was found and what was expected.
    """
    inputs = _by_name(request, info)
    dense = _matrix(inputs, ENCODED_DENSE, "FP32", len(info.dense), data, limits)
    ids = _matrix(inputs, ENCODED_IDS, "INT32", len(info.categorical), data, limits)
    lists = tuple(_listed(inputs, name, data, limits) for name in info.lists)
    counts = {ENCODED_DENSE: len(dense)} if info.dense else {}
    counts |= {ENCODED_IDS: len(ids)} if info.categorical else {}
    counts |= {LENGTHS + name: len(part.lengths) for name, part in zip(info.lists, lists, strict=True)}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise RequestError(f"inputs differ in their number of rows: {found}")
    listed = sum(len(part.ids) for part in lists)
    if listed > limits.max_listed_ids:
        raise RequestError(f"{listed} ids in lists together, at most {limits.max_listed_ids} are allowed")
    _require_in_tables(ids, lists, info)
    count = next(iter(counts.values()))
    return EncodedBlock(
        dense=dense if info.dense else np.empty((count, 0), dtype=np.float32),
        ids=ids if info.categorical else np.empty((count, 0), dtype=np.int32),
        labels=None,
        lists=lists,
    )


def _by_name(request: InferRequest, info: ModelInfo) -> dict[str, InputTensor]:
    expected = [ENCODED_DENSE] if info.dense else []
    expected += [ENCODED_IDS] if info.categorical else []
    expected += [kind + name for name in info.lists for kind in (ENCODED_LIST, LENGTHS)]
    named = {tensor.name: tensor for tensor in request.inputs}
    if len(named) != len(request.inputs) or named.keys() != set(expected):
        found = ", ".join(tensor.name for tensor in request.inputs)
        raise RequestError(f"inputs {found}: expected {' and '.join(expected)} once each")
    return named


def _matrix(
    inputs: Mapping[str, InputTensor],
    name: str,
    datatype: str,
    width: int,
    data: Mapping[str, memoryview],
    limits: Limits,
) -> NDArray[Any]:
    if not width:
        return np.empty((0, 0))
    tensor = inputs[name]
    require_datatype(tensor, (datatype,))
    if len(tensor.shape) != 2 or tensor.shape[1] != width or not 0 <= tensor.shape[0] <= limits.max_rows:
        raise RequestError(
            f"input {name}: shape {tensor.shape}, expected [rows, {width}] of at most {limits.max_rows} rows"
        )
    found = array(tensor, data).reshape(tensor.shape)
    if not np.isfinite(found).all():
        row, column = (int(at) for at in np.argwhere(~np.isfinite(found))[0])
        raise RequestError(
            f"input {name}: row {row}, column {column}: {found[row, column]}, expected a finite number"
        )
    return found


def _listed(
    inputs: Mapping[str, InputTensor], name: str, data: Mapping[str, memoryview], limits: Limits
) -> EncodedList:
    values, lengths = inputs[ENCODED_LIST + name], inputs[LENGTHS + name]
    for tensor, most in ((values, limits.max_listed_ids), (lengths, limits.max_rows)):
        require_datatype(tensor, ("INT32",))
        if len(tensor.shape) != 1 or not 0 <= tensor.shape[0] <= most:
            raise RequestError(f"input {tensor.name}: shape {tensor.shape}, expected [at most {most}]")
    sizes = array(lengths, data)
    ids = array(values, data)
    if (sizes < 0).any() or sizes.sum(dtype=np.int64) != len(ids):
        raise RequestError(
            f"input {lengths.name}: expected numbers of at least 0 with a sum of {len(ids)}, "
            f"as many as {values.name} has values"
        )
    ends = np.cumsum(sizes, dtype=np.int64)
    return EncodedList(ids, ends - sizes, sizes)


def _require_in_tables(ids_BF: NDArray[np.int32], lists: tuple[EncodedList, ...], info: ModelInfo) -> None:
    """Refuse an id that its table has no row for."""
    rows = np.array(info.rows, dtype=np.uint32)
    width = len(info.categorical)
    if width:
        is_outside = ids_BF.view(np.uint32) >= rows[:width]  # a negative id is a large one
        if is_outside.any():
            row, column = (int(at) for at in np.argwhere(is_outside)[0])
            name, most = info.categorical[column], info.rows[column] - 1
            raise RequestError(
                f"input {ENCODED_IDS}: row {row}, {name}: id {ids_BF[row, column]}, expected 0 to {most}"
            )
    for name, part, most in zip(info.lists, lists, rows[width:].tolist(), strict=True):
        is_outside = part.ids.view(np.uint32) >= most
        if is_outside.any():
            found = part.ids[is_outside.argmax()]
            raise RequestError(f"input {ENCODED_LIST}{name}: id {found}, expected 0 to {most - 1}")
