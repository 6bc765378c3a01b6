"""What the front process reads of a request: as little as it needs to hand it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

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
    request = decode(_INFER, header, where="request body")
    limits.require_tensors(len(request.inputs))
    if header_bytes is not None and is_encoded(request):
        data = binary.assign(request, rest)
        if len(data) == len(request.inputs):
            return _encoded(request, data, info, limits)
    return _raw(request, body, -1 if header_bytes is None else header_bytes, limits)


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
