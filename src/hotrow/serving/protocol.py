"""Messages of the server, in the shapes they have as JSON.

Open Inference Protocol v2 (https://github.com/kserve/open-inference-protocol, REST) and the plain
ranking call. Only shapes and types are checked here; what they mean is checked where it is used.
Depth is bounded by these types; tensor data is decoded by its datatype.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hotrow.errors import RequestError

Parameter = bool | int | float | str | None
FeatureValue = int | float | str | list[int | float | str] | None
"""A raw value, or the values of a list feature."""

_Size = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

Message = TypeVar("Message")


class InputTensor(Struct, forbid_unknown_fields=True):
    """One input of an inference request; ``data`` stays undecoded until its datatype is known."""

    name: str
    datatype: str
    shape: list[_Size]
    data: Raw | UnsetType = UNSET
    parameters: dict[str, Parameter] = {}


class RequestedOutput(Struct, forbid_unknown_fields=True):
    """One output that the client asks for."""

    name: str
    parameters: dict[str, Parameter] = {}


class InferRequest(Struct, forbid_unknown_fields=True):
    """Body of ``POST /v2/models/{name}/infer``."""

    inputs: list[InputTensor]
    id: str | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: dict[str, Parameter] = {}


class OutputTensor(Struct, omit_defaults=True):
    """One output of an inference response; the data of a binary one are behind the JSON."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float] | UnsetType = UNSET
    parameters: dict[str, Parameter] = {}


class InferResponse(Struct, omit_defaults=True):
    """Answer of ``POST /v2/models/{name}/infer``."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


class TensorMetadata(Struct):
    """Name, type and shape of a model's input or output; -1 is any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(Struct):
    """Answer of ``GET /v2/models/{name}``.

    ``parameters`` names the columns of the inputs ``dense`` and ``categorical`` and, of a model of several
    tasks, of the output ``tasks``, in order, separated by commas.
    """

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, str]


class RankOptions(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a ranking call asks for beside its candidates.

    Attributes:
        top_k: how many of the best to return; all when absent.
        id: returned as it came.
    """

    top_k: Annotated[int, Meta(ge=1)] | None = None
    id: str | None = None


class RankRequest(RankOptions, kw_only=True):
    """Body of ``POST /v1/rank``.

    Attributes:
        candidates: raw feature values of each candidate by column name, of a list feature an array; null
            or absent is missing.
        context: raw feature values that all candidates share, such as the user's and the user's history.
    """

    candidates: list[dict[str, FeatureValue]]
    context: dict[str, FeatureValue] = {}


class Ranked(Struct, omit_defaults=True):
    """One candidate of a ranking.

    Attributes:
        index: its position in the request.
        score: probability of the model's first task, by which candidates are ranked.
        tasks: probability of every task by name, of a model of several tasks.
    """

    index: int
    score: float
    tasks: dict[str, float] = {}


class RankResponse(Struct, omit_defaults=True):
    """Answer of ``POST /v1/rank``: candidates by falling score, equal scores by position."""

    model: str
    ranking: list[Ranked]
    id: str | None = None


def decode(decoder: msgspec.json.Decoder[Message], body: bytes | Raw, *, where: str) -> Message:
    """Decode JSON into a message.

    Args:
        decoder: of the message's type.
        body: the JSON text.
        where: what is decoded, for the message, e.g. ``"request body"``.

    Raises:
        RequestError: it is not JSON, not UTF-8, nested too deeply, or not of the message's shape.
    """
    try:
        return decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise RequestError(f"{where}: {error}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{where}: not UTF-8") from error
    except RecursionError as error:
        raise RequestError(f"{where}: nested too deeply") from error
