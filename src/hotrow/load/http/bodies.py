"""Bodies of requests: the Open Inference Protocol v2 with binary tensors or JSON, and the plain ranking call.

Binary tensors are Triton's extension of the protocol: a JSON header, then the tensors' bytes,
little-endian and row-major, in the order of the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from hotrow.data.raw import EncodedBlock
from hotrow.data.schema import Schema
from hotrow.load.query import RawRows
from hotrow.load.raw_rows import Columns

Api = Literal["binary", "json", "rank"]

Parts = list[bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request.

    Attributes:
        parts: its bytes, in pieces.
        header_length: bytes of JSON before binary tensors; None where there are none.
    """

    parts: Parts
    header_length: int | None = None


Write = Callable[[Any], Body]
"""Makes a body of an ``EncodedBlock`` or of ``RawRows``."""

_ENCODER = msgspec.json.Encoder()
_DATATYPES = {"f": "FP32", "i": "INT32"}


def encoded_tensors(block: EncodedBlock, schema: Schema) -> dict[str, NDArray[Any]]:
    """Return the inputs of the encoded form by name: (B, N), (B, F), and of each list (V,) and (B,)."""
    tensors: dict[str, NDArray[Any]] = {}
    if block.dense.shape[1]:
        tensors["encoded.dense"] = block.dense
    if block.ids.shape[1]:
        tensors["encoded.ids"] = block.ids
    for feature, listed in zip(schema.lists, block.lists, strict=True):
        tensors[f"encoded.list.{feature.name}"] = listed.ids
        tensors[f"lengths.{feature.name}"] = listed.lengths.astype(np.int32, copy=False)
    return tensors


def write_binary(tensors: dict[str, NDArray[Any]], *, timeout_us: int | None) -> Body:
    """Write tensors as bytes after a JSON header; the answer is asked for in the same form."""
    inputs = [
        _input(name, values, parameters={"binary_data_size": values.nbytes})
        for name, values in tensors.items()
    ]
    parameters: dict[str, Any] = {"binary_data_output": True}
    if timeout_us is not None:
        parameters["timeout"] = timeout_us
    header = _ENCODER.encode({"inputs": inputs, "parameters": parameters})
    little = [values.astype(values.dtype.newbyteorder("<"), copy=False) for values in tensors.values()]
    data: Parts = [values.reshape(-1).view(np.uint8).data for values in little]
    return Body([header, *data], len(header))


def write_json(inputs: list[dict[str, Any]], *, timeout_us: int | None) -> Body:
    """Write an inference request as JSON."""
    parameters = {} if timeout_us is None else {"timeout": timeout_us}
    return Body([_ENCODER.encode({"inputs": inputs, "parameters": parameters})])


def json_inputs(tensors: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """Return encoded tensors as JSON inputs, flat."""
    return [_input(name, values, data=values.reshape(-1).tolist()) for name, values in tensors.items()]


def raw_inputs(rows: RawRows, columns: Columns) -> list[dict[str, Any]]:
    """Return the inputs of the raw form: numbers, ids as text, and of each list its values and lengths."""
    merged = [{**rows.context, **row} for row in rows.candidates] if rows.context else rows.candidates
    B = len(merged)
    inputs = []
    if columns.dense:
        data = [row.get(name) for row in merged for name in columns.dense]
        inputs.append({"name": "dense", "datatype": "FP64", "shape": [B, len(columns.dense)], "data": data})
    if columns.categorical:
        texts = [_text(row.get(name)) for row in merged for name in columns.categorical]
        shape = [B, len(columns.categorical)]
        inputs.append({"name": "categorical", "datatype": "BYTES", "shape": shape, "data": texts})
    for name in columns.lists:
        lists: list[Sequence[Any]] = [row.get(name) or () for row in merged]
        flat = [_text(value) for values in lists for value in values]
        inputs.append({"name": f"list.{name}", "datatype": "BYTES", "shape": [len(flat)], "data": flat})
        lengths = [len(values) for values in lists]
        inputs.append({"name": f"lengths.{name}", "datatype": "INT32", "shape": [B], "data": lengths})
    return inputs


def write_ranking(rows: RawRows) -> Body:
    """Write the plain ranking call."""
    content = {"candidates": rows.candidates} | ({"context": rows.context} if rows.context else {})
    return Body([_ENCODER.encode(content)])


def encoded_writer(api: Api, schema: Schema, *, timeout_us: int | None) -> Write:
    """Return what writes encoded rows, as binary tensors or as JSON."""
    if api == "binary":
        return lambda block: write_binary(encoded_tensors(block, schema), timeout_us=timeout_us)
    return lambda block: write_json(json_inputs(encoded_tensors(block, schema)), timeout_us=timeout_us)


def raw_writer(api: Api, columns: Columns, *, timeout_us: int | None) -> Write:
    """Return what writes raw rows, as tensors in JSON or as the ranking call."""
    if api == "rank":
        return write_ranking
    return lambda rows: write_json(raw_inputs(rows, columns), timeout_us=timeout_us)


def _input(name: str, values: NDArray[Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": _DATATYPES[values.dtype.kind], "shape": list(values.shape), **more}


def _text(value: Any) -> str:
    return "" if value is None else str(value)
