"""What the front process reads of a request: as little as it needs to hand it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import astuple

from hotrow.errors import RequestError
from hotrow.serving.answers import Wanted, wanted_of_infer
from hotrow.serving.engine.messages import Body
from hotrow.serving.engine.request import RawRequest, Request
from hotrow.serving.info import ModelInfo
from hotrow.serving.limits import Limits
from hotrow.serving.protocol import InferRequest, decode
from hotrow.serving.tensors import binary
from hotrow.serving.tensors.encoded import is_encoded, read_encoded

TIMEOUT = "timeout"
"""Parameter of an inference request, as Triton has it: microseconds after which it is of no use; 0: never."""

_INFER = msgspec.json.Decoder(InferRequest)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the front process reads it.

    Attributes:
        request: for the engine.
        wanted: what its answer must have; None: the worker that decodes it says so.
        seconds: after which it is of no use; None: never.
    """

    request: Request
    wanted: Wanted | None
    seconds: float | None


def read_infer(body: bytes, header_bytes: int | None, info: ModelInfo, limits: Limits) -> Asked:
    """Read an inference request; encoded rows in binary tensors are read, others left to a worker.

    Raises:
        RequestError: the request cannot be answered as it is.
    """
    header, rest = binary.split(body, header_bytes)
    if len(header) > limits.max_json_bytes:
        _require_mostly_data(header, limits)
    request = decode(_INFER, header, where="request body")
    limits.require_small(request)
    if header_bytes is not None and is_encoded(request):
        data = binary.assign(request, rest)
        if len(data) == len(request.inputs):
            return _encoded(request, data, info, limits)
    return _raw(request, body, -1 if header_bytes is None else header_bytes, limits)


def _require_mostly_data(header: bytes, limits: Limits) -> None:
    """Refuse JSON that is long by anything but the data of inputs, before objects are made of it."""
    outline = decode(_outline(limits.max_tensors), header, where="request body")
    data = sum(len(memoryview(tensor.data)) for tensor in astuple(outline.inputs) if tensor is not None)
    if len(header) - data > limits.max_json_bytes:
        raise RequestError(
            f"request body: {len(header) - data} bytes apart from the inputs' data, "
            f"at most {limits.max_json_bytes} are allowed"
        )


class _Data(Struct):
    data: Raw = Raw(b"")


@cache
def _outline(max_tensors: int) -> msgspec.json.Decoder[Any]:
    """Return a decoder of the data of inputs alone, which stops where these are too many."""
    fields: list[Any] = [(f"input{number}", _Data | None, None) for number in range(max_tensors)]
    inputs: Any = msgspec.defstruct("Inputs", fields, array_like=True, forbid_unknown_fields=True)
    return msgspec.json.Decoder(msgspec.defstruct("Outline", [("inputs", inputs)]))


def read_tensors(request: InferRequest, parts: Sequence[bytes], info: ModelInfo, limits: Limits) -> Asked:
    """Read an inference request that came as tensors already; raw rows are left to a worker, as over HTTP.

    Args:
        request: its inputs have the sizes of their data.
        parts: the data of each input.
        info: the model.
        limits: bounds on requests.

    Raises:
        RequestError: the request cannot be answered as it is.
    """
    if is_encoded(request):
        data = {tensor.name: memoryview(part) for tensor, part in zip(request.inputs, parts, strict=True)}
        return _encoded(request, data, info, limits)
    header = msgspec.json.encode(request)
    return _raw(request, b"".join((header, *parts)), len(header), limits)


def read_rank(body: bytes, limits: Limits) -> Asked:
    """Read a ranking request, which is left to a worker.

    Every candidate is an object of its own, so there are hardly fewer braces than candidates.
    """
    return Asked(RawRequest(body, Body.RANK, -1, _within(body.count(b"{") - 1, limits)), None, None)


def _encoded(request: InferRequest, data: Mapping[str, memoryview], info: ModelInfo, limits: Limits) -> Asked:
    wanted = wanted_of_infer(request, info)
    return Asked(read_encoded(request, data, info, limits), wanted, _seconds(request))


def _raw(request: InferRequest, body: bytes, header_bytes: int, limits: Limits) -> Asked:
    rows = max((tensor.shape[0] for tensor in request.inputs if tensor.shape), default=1)
    raw = RawRequest(body, Body.INFER, header_bytes, _within(rows, limits))
    return Asked(raw, None, _seconds(request))


def _within(rows: int, limits: Limits) -> int:
    return min(max(rows, 1), limits.max_rows)


def _seconds(request: InferRequest) -> float | None:
    value = request.parameters.get(TIMEOUT)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise RequestError(f"parameter {TIMEOUT}: {value!r}, expected microseconds, a whole number")
    return value / 1e6 or None
