"""Raw rows as tensors: values as they are in a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from hotrow.data.columnar import ColumnarRows
from hotrow.errors import RequestError
from hotrow.serving.info import CATEGORICAL, DENSE, LENGTHS, LIST, ModelInfo
from hotrow.serving.limits import Limits
from hotrow.serving.protocol import InferRequest, InputTensor
from hotrow.serving.tensors.elements import elements, require_datatype

_DATATYPES = {DENSE: ("FP32", "FP64", "INT32", "INT64"), CATEGORICAL: ("BYTES",)}


def read_rows(
    request: InferRequest, data: Mapping[str, memoryview], info: ModelInfo, limits: Limits
) -> ColumnarRows:
    """Check the inputs of a request and return its rows: raw values by column name, None where missing.

    Args:
        request: as it was decoded.
        data: of binary tensors, by name.
        info: the model. Of a list feature, its values and how many of them each row has are two inputs,
            since a tensor has as many in every row.
        limits: bounds on requests.

    Raises:
        RequestError: names the input, what was found and what was expected.
    """
    columns = {name: names for name, names in ((DENSE, info.dense), (CATEGORICAL, info.categorical)) if names}
    of_lists = [kind + name for name in info.lists for kind in (LIST, LENGTHS)]
    inputs = _by_name(request.inputs, [*columns, *of_lists])
    counts = {name: _count_rows(inputs[name], len(names), limits) for name, names in columns.items()}
    counts |= {LENGTHS + name: _count_rows(inputs[LENGTHS + name], None, limits) for name in info.lists}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise RequestError(f"inputs differ in their number of rows: {found}")
    count = max(counts.values())
    values: dict[str, Sequence[Any]] = {}
    for name, names in columns.items():
        flat = elements(inputs[name], data)
        values |= {column: flat[at :: len(names)] for at, column in enumerate(names)}
    for name in info.lists:
        values[name] = _slices(inputs[LIST + name], inputs[LENGTHS + name], data, limits)
    return ColumnarRows(values, count)


def _slices(
    values: InputTensor, lengths: InputTensor, data: Mapping[str, memoryview], limits: Limits
) -> list[list[Any]]:
    """Return the values of each row of a list feature."""
    require_datatype(values, ("BYTES", "INT64", "INT32"))
    most = limits.max_body_bytes  # each value takes a byte at least
    if len(values.shape) != 1 or not 0 <= values.shape[0] <= most:
        raise RequestError(
            f"input {values.name}: shape {values.shape}, expected [values of all rows] of at most {most}"
        )
    flat, sizes = elements(values, data), elements(lengths, data)
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise RequestError(f"input {lengths.name}: expected whole numbers of at least 0")
    if sum(sizes) != len(flat):
        raise RequestError(
            f"input {lengths.name}: its sum is {sum(sizes)}, "
            f"expected {len(flat)}, as many as {values.name} has values"
        )
    ends = accumulate(sizes)
    return [flat[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _by_name(inputs: Sequence[InputTensor], expected: Sequence[str]) -> dict[str, InputTensor]:
    named = {tensor.name: tensor for tensor in inputs}
    if len(named) != len(inputs):
        raise RequestError(f"inputs: a name is given twice, expected {' and '.join(expected)} once each")
    for name in named:
        if name not in expected:
            raise RequestError(f"input {name!r} does not exist, expected {' and '.join(expected)}")
    for name in expected:
        if name not in named:
            raise RequestError(f"input {name!r} is missing")
    return named


def _count_rows(tensor: InputTensor, width: int | None, limits: Limits) -> int:
    """Check datatype and shape, (B, width), or (B,) without a width, and return B."""
    require_datatype(tensor, _DATATYPES.get(tensor.name, ("INT32", "INT64")))
    expected = [] if width is None else [width]
    if len(tensor.shape) != 1 + len(expected) or tensor.shape[1:] != expected or tensor.shape[0] < 0:
        shape = ", ".join(map(str, ["rows", *expected]))
        raise RequestError(f"input {tensor.name}: shape {tensor.shape}, expected [{shape}]")
    if tensor.shape[0] > limits.max_rows:
        raise RequestError(
            f"input {tensor.name}: {tensor.shape[0]} rows, at most {limits.max_rows} are allowed"
        )
    return tensor.shape[0]
