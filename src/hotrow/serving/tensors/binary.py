"""Triton's binary extension: the data of tensors behind the JSON, little-endian, in order of the inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import RequestError
from hotrow.kernels.values import read_texts
from hotrow.serving.protocol import InferRequest, InputTensor

SIZE = "binary_data_size"

DTYPES: dict[str, np.dtype[Any]] = {
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
}
_LENGTH_BYTES = 4


def split(body: bytes, header_bytes: int | None) -> tuple[bytes, memoryview]:
    """Split a body into its JSON and the tensors' data behind it.

    Args:
        body: of the request.
        header_bytes: what the header ``Inference-Header-Content-Length`` says; None: all is JSON.

    Raises:
        RequestError: the body is shorter than that.
    """
    if header_bytes is None:
        return body, memoryview(b"")
    if not 0 <= header_bytes <= len(body):
        raise RequestError(
            f"Inference-Header-Content-Length: {header_bytes}, but the body has {len(body)} bytes"
        )
    return body[:header_bytes], memoryview(body)[header_bytes:]


def assign(request: InferRequest, data: memoryview) -> dict[str, memoryview]:
    """Return each binary input's bytes by its name.

    Raises:
        RequestError: sizes that are not numbers, or that are not all of the data together.
    """
    found: dict[str, memoryview] = {}
    at = 0
    for tensor in request.inputs:
        size = tensor.parameters.get(SIZE)
        if size is None:
            continue
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(data) - at:
            raise RequestError(
                f"input {tensor.name}: {SIZE} {size!r}, expected at most the {len(data) - at} bytes left"
            )
        found[tensor.name] = data[at : at + size]
        at += size
    if at != len(data):
        raise RequestError(f"{len(data)} bytes of binary data, the inputs take {at} of them")
    return found


def numbers(tensor: InputTensor, data: memoryview) -> NDArray[Any]:
    """Return a binary tensor of numbers, flat, as a view.

    Raises:
        RequestError: it has another size than its shape says.
    """
    dtype = DTYPES[tensor.datatype]
    expected = math.prod(tensor.shape) * dtype.itemsize
    if len(data) != expected:
        raise RequestError(
            f"input {tensor.name}: {len(data)} bytes, expected {expected} by shape {tensor.shape}"
        )
    return np.frombuffer(data, dtype)


def texts(tensor: InputTensor, data: memoryview) -> list[str]:
    """Return a binary tensor of texts, flat: each is 4 bytes of length and as many of UTF-8.

    Raises:
        RequestError: lengths that do not fit, or bytes that are not UTF-8.
    """
    count, at = math.prod(tensor.shape), 0
    raw = bytes(data)
    found = read_texts(raw, count)
    if found is not None:
        return found
    found = []  # it remains to say what is wrong
    try:
        while at < len(raw) and len(found) < count:
            end = at + _LENGTH_BYTES + int.from_bytes(raw[at : at + _LENGTH_BYTES], "little")
            if end > len(raw):
                break
            found.append(raw[at + _LENGTH_BYTES : end].decode())
            at = end
    except UnicodeDecodeError as error:
        raise RequestError(f"input {tensor.name}: element {len(found)} is not UTF-8") from error
    if len(found) != count or at != len(raw):
        raise RequestError(
            f"input {tensor.name}: {len(raw)} bytes hold {len(found)} elements or more, "
            f"expected {count} by shape {tensor.shape}"
        )
    return found


def pack(values: Sequence[NDArray[Any]]) -> bytes:
    """Return arrays as the data behind a JSON header."""
    return b"".join(np.ascontiguousarray(array).tobytes() for array in values)
