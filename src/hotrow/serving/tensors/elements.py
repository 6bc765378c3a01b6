"""The elements of one input tensor, of JSON or of binary data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from hotrow.errors import RequestError
from hotrow.kernels.values import read_json_integers, read_json_reals
from hotrow.serving.protocol import InputTensor, decode
from hotrow.serving.tensors import binary

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


def _list_decoder(element: Any) -> msgspec.json.Decoder[list[Any]]:
    return msgspec.json.Decoder(list[element])


_FLAT = {name: _list_decoder(kind) for name, kind in _ELEMENTS.items()}
_FLAT_NUMBERS = {"f": _list_decoder(float), "i": _list_decoder(int)}
_NESTED_NUMBERS = {"f": _list_decoder(list[float]), "i": _list_decoder(list[int])}
_LARGEST = {"FP32": 3.4028235e38, "INT32": 2**31 - 1}
_NESTED = {name: _list_decoder(list[kind]) for name, kind in _ELEMENTS.items()}  # type: ignore[valid-type]


def require_datatype(tensor: InputTensor, allowed: Sequence[str]) -> None:
    """Refuse a tensor of another datatype.

    Raises:
        RequestError: names the datatypes that are allowed.
    """
    if tensor.datatype not in allowed:
        raise RequestError(
            f"input {tensor.name}: datatype {tensor.datatype!r}, expected {' or '.join(allowed)}"
        )


def elements(tensor: InputTensor, data: Mapping[str, memoryview]) -> list[Any]:
    """Return the elements, flat, None where null; a binary NaN is None too.

    Args:
        tensor: of a known datatype, its shape checked.
        data: of binary tensors, by name.

    Raises:
        RequestError: they are not of the datatype or not as many as the shape says.
    """
    found = data.get(tensor.name)
    if found is None:
        return _of_json(tensor, _FLAT[tensor.datatype], _NESTED[tensor.datatype])
    if tensor.datatype == "BYTES":
        return list(binary.texts(tensor, found))
    values = binary.numbers(tensor, found)
    flat: list[Any] = values.tolist()
    if values.dtype.kind == "f" and np.isnan(values).any():
        flat = [None if value != value else value for value in flat]
    return flat


def array(tensor: InputTensor, data: Mapping[str, memoryview]) -> NDArray[Any]:
    """Return the elements of a tensor of FP32 or INT32, flat; of binary data they are a view.

    Raises:
        RequestError: as ``elements``, and for null.
    """
    found = data.get(tensor.name)
    if found is not None:
        return binary.numbers(tensor, found)
    dtype = binary.DTYPES[tensor.datatype]
    values = _flat_array(tensor, dtype.kind)
    if values is None:
        flat = _of_json(tensor, _FLAT_NUMBERS[dtype.kind], _NESTED_NUMBERS[dtype.kind])
        try:
            values = np.array(flat, dtype="f8" if dtype.kind == "f" else "i8")
        except OverflowError:
            values = np.array([np.inf])
    if len(values) and not np.abs(values).max() <= _LARGEST[tensor.datatype]:
        raise RequestError(f"input {tensor.name}: data: a number beyond {tensor.datatype}")
    return values.astype(dtype)


def _flat_array(tensor: InputTensor, kind: str) -> NDArray[Any] | None:
    """Return the numbers of a flat JSON array; None if the data are nested, or wrong."""
    size = math.prod(tensor.shape)
    if isinstance(tensor.data, msgspec.UnsetType):
        return None
    text = bytes(tensor.data)
    if len(text) <= size:  # as many digits and commas as that are more
        return None
    if kind == "f":
        reals = np.empty(size, dtype=np.float64)
        return reals if read_json_reals(text, reals) else None
    integers = np.empty(size, dtype=np.int64)
    return integers if read_json_integers(text, integers) else None


def _of_json(
    tensor: InputTensor,
    flat_decoder: msgspec.json.Decoder[list[Any]],
    nested_decoder: msgspec.json.Decoder[list[Any]],
) -> list[Any]:
    """Decode the data, flat or one list per row, and check its size against the shape."""
    if isinstance(tensor.data, msgspec.UnsetType):
        raise RequestError(f"input {tensor.name}: data is missing")
    size = math.prod(tensor.shape)
    where = f"input {tensor.name}: data"
    text = bytes(tensor.data)
    if tensor.datatype != "BYTES" and text.count(b",") >= max(size, 1):
        raise RequestError(f"{where}: more elements than shape {tensor.shape} has")
    if len(tensor.shape) == 1 or not text[1:].lstrip().startswith(b"["):
        flat = decode(flat_decoder, text, where=where)
    else:
        rows, width = tensor.shape
        nested = decode(nested_decoder, text, where=where)
        if [len(row) for row in nested] != [width] * rows:
            raise RequestError(f"{where}: its lists do not have shape {tensor.shape}")
        flat = [value for row in nested for value in row]
    if len(flat) != size:
        raise RequestError(f"{where}: {len(flat)} elements, expected {size} by shape {tensor.shape}")
    return flat
