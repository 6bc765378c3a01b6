"""From scores to the body of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hotrow.errors import RequestError
from hotrow.serving.engine.messages import Body
from hotrow.serving.info import SCORE, TASKS, ModelInfo
from hotrow.serving.protocol import (
    InferRequest,
    InferResponse,
    OutputTensor,
    Parameter,
    RankOptions,
    RankResponse,
)
from hotrow.serving.ranking import ranking
from hotrow.serving.tensors import binary

MAX_ID_CHARACTERS = 1024
_BINARY = "binary_data"
_ALL_BINARY = "binary_data_output"


class Wanted(Struct, omit_defaults=True):
    """What a request asks for beside the scores of its rows.

    Attributes:
        call: which call it was.
        id: returned as it came.
        top_k: of a ranking, how many; None for all.
        outputs: of an inference, the names, in order; each is binary or not.
        binary: of each output, whether it is binary.
    """

    call: Body
    id: str | None = None
    top_k: int | None = None
    outputs: list[str] = []
    binary: list[bool] = []


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer.

    Attributes:
        body: its bytes.
        header_bytes: of an answer with binary tensors, how long its JSON is.
    """

    body: bytes
    header_bytes: int | None = None


def wanted_of_infer(request: InferRequest, info: ModelInfo) -> Wanted:
    """Return what an inference request asks for; all outputs where it names none.

    Raises:
        RequestError: an output that does not exist, or an id that is too long.
    """
    known = [output.name for output in info.outputs]
    asked = {output.name: output.parameters for output in request.outputs or ()}
    for name in asked:
        if name not in known:
            returned = " and ".join(map(repr, known))
            raise RequestError(f"output {name!r} does not exist, this model returns {returned}")
    names = [name for name in known if not asked or name in asked]
    all_binary = _flag(request.parameters, _ALL_BINARY, default=False)
    return Wanted(
        call=Body.INFER,
        id=_short(request.id),
        outputs=names,
        binary=[_flag(asked.get(name, {}), _BINARY, default=all_binary) for name in names],
    )


def wanted_of_rank(request: RankOptions) -> Wanted:
    """Return what a ranking request asks for.

    Raises:
        RequestError: an id that is too long.
    """
    return Wanted(call=Body.RANK, id=_short(request.id), top_k=request.top_k)


def answer(wanted: Wanted, scores_BK: NDArray[np.float32], info: ModelInfo) -> Answer:
    """Return the answer to a request.

    Args:
        wanted: what it asks for.
        scores_BK: (B, K) float32, of its rows in order.
        info: the model.
    """
    if wanted.call == Body.RANK:
        ranked = ranking(scores_BK, info.tasks, wanted.top_k)
        return Answer(msgspec.json.encode(RankResponse(info.name, ranked, wanted.id)))
    named = outputs_of(wanted, scores_BK)
    outputs = [
        _output(name, array, is_binary) for (name, array), is_binary in zip(named, wanted.binary, strict=True)
    ]
    header = msgspec.json.encode(InferResponse(info.name, info.version, outputs, wanted.id))
    if not any(wanted.binary):
        return Answer(header)
    behind = [array for (_, array), is_binary in zip(named, wanted.binary, strict=True) if is_binary]
    return Answer(header + binary.pack(behind), len(header))


def outputs_of(wanted: Wanted, scores_BK: NDArray[np.float32]) -> list[tuple[str, NDArray[np.float32]]]:
    """Return the outputs that an inference request asks for, by name and in order."""
    values = {SCORE: scores_BK[:, 0], TASKS: scores_BK}
    return [(name, values[name]) for name in wanted.outputs]


def _output(name: str, array: NDArray[np.float32], is_binary: bool) -> OutputTensor:
    shape = list(array.shape)
    if is_binary:
        return OutputTensor(name, "FP32", shape, parameters={binary.SIZE: array.nbytes})
    return OutputTensor(name, "FP32", shape, array.reshape(-1).tolist())


def _flag(parameters: dict[str, Parameter], name: str, *, default: bool) -> bool:
    value: Any = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(f"parameter {name}: {value!r}, expected true or false")
    return value


def _short(identifier: str | None) -> str | None:
    if identifier is not None and len(identifier) > MAX_ID_CHARACTERS:
        raise RequestError(f"id: {len(identifier)} characters, at most {MAX_ID_CHARACTERS} are allowed")
    return identifier
