"""Inference requests and answers between gRPC's messages and what HTTP has: named tensors and their bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from hotrow.errors import RequestError
from hotrow.serving.answers import Wanted, outputs_of
from hotrow.serving.info import ModelInfo
from hotrow.serving.limits import Limits
from hotrow.serving.protocol import InferRequest, InputTensor, Parameter, RequestedOutput
from hotrow.serving.reading import Asked, read_tensors
from hotrow.serving.rpc.messages import message
from hotrow.serving.tensors import binary

_CONTENTS = {
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "BYTES": "bytes_contents",
}


def read_message(received: Any, info: ModelInfo, limits: Limits) -> Asked:
    """Read a ``ModelInferRequest``; the deadline of its call is not in it.

    Raises:
        RequestError: the request cannot be answered as it is.
    """
    limits.require_small(received)
    count = len(received.raw_input_contents)
    if count and count != len(received.inputs):
        raise RequestError(f"{count} raw_input_contents for {len(received.inputs)} inputs")
    raw = list(received.raw_input_contents)
    inputs = [_input(tensor) for tensor in received.inputs]
    if raw and any(tensor.HasField("contents") for tensor in received.inputs):
        raise RequestError("contents and raw_input_contents: expected one of them")
    most = _most_values(info, limits)
    parts = raw or [_packed(tensor, most) for tensor in received.inputs]
    request = InferRequest(
        inputs=[
            replace(tensor, parameters=tensor.parameters | {binary.SIZE: len(part)})
            for tensor, part in zip(inputs, parts, strict=True)
        ],
        id=received.id or None,
        outputs=[RequestedOutput(output.name) for output in received.outputs] or None,
        parameters=_parameters(received.parameters),
    )
    return read_tensors(request, parts, info, limits)


def answer_message(wanted: Wanted, scores_BK: NDArray[np.float32], info: ModelInfo, *, raw: bool) -> bytes:
    """Return the bytes of a ``ModelInferResponse``.

    Args:
        wanted: what the request asks for.
        scores_BK: (B, K) float32, of its rows in order.
        info: the model.
        raw: whether the outputs' data are bytes, as those of the request were.
    """
    answered = message("ModelInferResponse")(
        model_name=info.name, model_version=info.version, id=wanted.id or ""
    )
    for name, array in outputs_of(wanted, scores_BK):
        output = answered.outputs.add(name=name, datatype="FP32", shape=array.shape)
        if raw:
            answered.raw_output_contents.append(array.astype("<f4").tobytes())
        else:
            output.contents.fp32_contents.extend(array.reshape(-1).tolist())
    sent: bytes = answered.SerializeToString()
    return sent


def _input(tensor: Any) -> InputTensor:
    return InputTensor(
        tensor.name, tensor.datatype, list(tensor.shape), parameters=_parameters(tensor.parameters)
    )


def _parameters(given: Mapping[str, Any]) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for name, value in given.items():
        choice = value.WhichOneof("parameter_choice")
        found[name] = getattr(value, choice) if choice else None
    return found


def _most_values(info: ModelInfo, limits: Limits) -> int:
    """Return how many values an input of the model may have as typed contents, each an object in Python."""
    rows = limits.max_rows * max(len(info.dense), len(info.categorical), 1)
    return max(rows, limits.max_listed_ids) if info.lists else rows


def _packed(tensor: Any, most: int) -> bytes:
    """Return the contents of a tensor as they are in raw ones.

    Raises:
        RequestError: they are not of its datatype, or too many.
    """
    expected = _CONTENTS.get(tensor.datatype)
    if expected is None:
        raise RequestError(
            f"input {tensor.name}: datatype {tensor.datatype!r}, expected {', '.join(_CONTENTS)}"
        )
    for field, _ in tensor.contents.ListFields():
        if field.name != expected:
            raise RequestError(f"input {tensor.name}: {field.name}, expected {expected}")
    values = getattr(tensor.contents, expected)
    if len(values) > most:
        raise RequestError(f"input {tensor.name}: {len(values)} values, at most {most} are allowed")
    if tensor.datatype == "BYTES":
        return b"".join(len(value).to_bytes(4, "little") + value for value in values)
    return np.array(values, dtype=binary.DTYPES[tensor.datatype]).tobytes()
