"""What the front process reads of a request: as little as it needs to hand it on."""

from __future__ import annotations

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
"""Parameter of an inference request, as Triton has it: microseconds after which it is of no use."""

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
    seconds = _seconds(request)
    if header_bytes is not None and is_encoded(request):
        data = binary.assign(request, rest)
        if len(data) == len(request.inputs):
            wanted = wanted_of_infer(request, info)
            return Asked(read_encoded(request, data, info, limits), wanted, seconds)
    rows = max((tensor.shape[0] for tensor in request.inputs if tensor.shape), default=1)
    raw = RawRequest(body, Body.INFER, -1 if header_bytes is None else header_bytes, _within(rows, limits))
    return Asked(raw, None, seconds)


def read_rank(body: bytes, limits: Limits) -> Asked:
    """Read a ranking request, which is left to a worker.

    Every candidate is an object of its own, so there are hardly fewer braces than candidates.
    """
    return Asked(RawRequest(body, Body.RANK, -1, _within(body.count(b"{") - 1, limits)), None, None)


def _within(rows: int, limits: Limits) -> int:
    return min(max(rows, 1), limits.max_rows)


def _seconds(request: InferRequest) -> float | None:
    value = request.parameters.get(TIMEOUT)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RequestError(f"parameter {TIMEOUT}: {value!r}, expected microseconds, a whole number")
    return value / 1e6
