"""From the tensors of an inference request to raw rows, every claim of the client checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hotrow.errors import RequestError
from hotrow.serving.limits import Limits
from hotrow.serving.protocol import FeatureValue, InferRequest, InputTensor, Parameter, decode

DENSE = "dense"
CATEGORICAL = "categorical"
LIST = "list."
LENGTHS = "lengths."
SCORE = "score"
TASKS = "tasks"


def _list_decoder(element: Any) -> msgspec.json.Decoder[list[Any]]:
    return msgspec.json.Decoder(list[element])


_Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
_Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Float32 = Annotated[float, Meta(ge=-3.4028235e38, le=3.4028235e38)]
_ELEMENTS: dict[str, Any] = {
    "FP32": _Float32 | None,
    "FP64": float | None,
    "INT32": _Int32 | None,
    "INT64": _Int64 | None,
    "BYTES": str | None,
}
_FLAT = {name: _list_decoder(kind) for name, kind in _ELEMENTS.items()}
_NESTED = {name: _list_decoder(list[kind]) for name, kind in _ELEMENTS.items()}  # type: ignore[valid-type]
_DATATYPES = {DENSE: ("FP32", "FP64", "INT32", "INT64"), CATEGORICAL: ("BYTES",)}


def read_rows(
    request: InferRequest,
    *,
    dense: Sequence[str],
    categorical: Sequence[str],
    lists: Sequence[str] = (),
    limits: Limits,
) -> list[Mapping[str, FeatureValue]]:
    """Check the inputs of a request and return its rows: raw values by column name, None where missing.

    Args:
        request: as it was decoded.
        dense: names of the N dense columns; if there are none, no input ``dense`` is expected.
        categorical: names of the F categorical columns; likewise.
        lists: names of the M list features; of each, its values and how many of them each row has are two
            inputs, since a tensor has as many in every row.
        limits: bounds on requests.

    Raises:
        RequestError: names the input, what was found and what was expected.
    """
    _refuse_binary(request)
    columns = {name: names for name, names in ((DENSE, dense), (CATEGORICAL, categorical)) if names}
    of_lists = [kind + name for name in lists for kind in (LIST, LENGTHS)]
    inputs = _by_name(request.inputs, [*columns, *of_lists])
    counts = {name: _count_rows(inputs[name], len(names), limits) for name, names in columns.items()}
    counts |= {LENGTHS + name: _count_rows(inputs[LENGTHS + name], None, limits) for name in lists}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise RequestError(f"inputs differ in their number of rows: {found}")
    count = max(counts.values())
    rows: list[dict[str, FeatureValue]] = [{} for _ in range(count)]
    for name, names in columns.items():
        values = iter(_elements(inputs[name]))
        for row in rows:
            row.update(zip(names, values, strict=False))  # takes len(names) values, leaves the rest
    for name in lists:
        for row, ids in zip(rows, _slices(inputs[LIST + name], inputs[LENGTHS + name]), strict=True):
            row[name] = ids
    return list(rows)


def _slices(values: InputTensor, lengths: InputTensor) -> list[list[Any]]:
    """Return the values of each row of a list feature."""
    _require_datatype(values, ("BYTES", "INT64", "INT32"))
    if len(values.shape) != 1 or values.shape[0] < 0:
        raise RequestError(f"input {values.name}: shape {values.shape}, expected [values of all rows]")
    flat, sizes = _elements(values), _elements(lengths)
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise RequestError(f"input {lengths.name}: expected whole numbers of at least 0")
    if sum(sizes) != len(flat):
        raise RequestError(
            f"input {lengths.name}: its sum is {sum(sizes)}, "
            f"expected {len(flat)}, as many as {values.name} has values"
        )
    ends = accumulate(sizes)
    return [flat[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def wanted_outputs(request: InferRequest, known: Sequence[str]) -> list[str]:
    """Return which outputs are asked for; none means all.

    Raises:
        RequestError: an output that is asked for does not exist.
    """
    wanted = [output.name for output in request.outputs or ()]
    for name in wanted:
        if name not in known:
            returned = " and ".join(map(repr, known))
            raise RequestError(f"output {name!r} does not exist, this model returns {returned}")
    return [name for name in known if not wanted or name in wanted]


def _refuse_binary(request: InferRequest) -> None:
    tensors = (*request.inputs, *(request.outputs or ()))
    parameters: list[Mapping[str, Parameter]] = [request.parameters, *(t.parameters for t in tensors)]
    for given in parameters:
        for key in ("binary_data", "binary_data_size", "binary_data_output"):
            if given.get(key):
                raise RequestError(f"parameter {key}: binary tensors are not supported, send data as JSON")


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


def _require_datatype(tensor: InputTensor, allowed: Sequence[str]) -> None:
    if tensor.datatype not in allowed:
        raise RequestError(
            f"input {tensor.name}: datatype {tensor.datatype!r}, expected {' or '.join(allowed)}"
        )


def _count_rows(tensor: InputTensor, width: int | None, limits: Limits) -> int:
    """Check datatype and shape, (B, width), or (B,) without a width, and return B."""
    _require_datatype(tensor, _DATATYPES.get(tensor.name, ("INT32", "INT64")))
    expected = [] if width is None else [width]
    if len(tensor.shape) != 1 + len(expected) or tensor.shape[1:] != expected or tensor.shape[0] < 0:
        shape = ", ".join(map(str, ["rows", *expected]))
        raise RequestError(f"input {tensor.name}: shape {tensor.shape}, expected [{shape}]")
    if tensor.shape[0] > limits.max_rows:
        raise RequestError(
            f"input {tensor.name}: {tensor.shape[0]} rows, at most {limits.max_rows} are allowed"
        )
    return tensor.shape[0]


def _elements(tensor: InputTensor) -> list[Any]:
    """Decode the data, flat or one list per row, and check its size against the shape."""
    if isinstance(tensor.data, msgspec.UnsetType):
        raise RequestError(f"input {tensor.name}: data is missing")
    size = math.prod(tensor.shape)
    where = f"input {tensor.name}: data"
    text = bytes(tensor.data)
    if tensor.datatype != "BYTES" and text.count(b",") >= max(size, 1):
        raise RequestError(f"{where}: more elements than shape {tensor.shape} has")
    if len(tensor.shape) == 1 or not text[1:].lstrip().startswith(b"["):
        flat = decode(_FLAT[tensor.datatype], text, where=where)
    else:
        rows, width = tensor.shape
        nested = decode(_NESTED[tensor.datatype], text, where=where)
        if [len(row) for row in nested] != [width] * rows:
            raise RequestError(f"{where}: its lists do not have shape {tensor.shape}")
        flat = [value for row in nested for value in row]
    if len(flat) != size:
        raise RequestError(f"{where}: {len(flat)} elements, expected {size} by shape {tensor.shape}")
    return flat
