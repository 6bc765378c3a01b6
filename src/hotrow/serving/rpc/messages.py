"""The messages of ``inference.proto``.

Their classes are made of the compiled descriptor, in a pool of their own: in the default one they could not
be in one process with those of a client library of the same protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError

from hotrow.errors import RequestError

SERVICE = "inference.GRPCInferenceService"

_VARINT, _BYTES = 0, 2
_FIXED_BYTES = {1: 8, 5: 4}
_VARINT_BYTES = 10


@cache
def _pool() -> Any:
    described = files("hotrow.serving.rpc").joinpath("inference.binpb").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(described).file:
        pool.Add(file)
    return pool


@cache
def message(name: str) -> Any:
    """Return the class of a message by its name, e.g. ``"ModelInferRequest"``."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"inference.{name}"))


def calls() -> list[str]:
    """Return the names of the service's calls."""
    return [method.name for method in _pool().FindServiceByName(SERVICE).methods]


def require_few_fields(data: bytes, most: int) -> None:
    """Refuse a message by how many fields it has, without those of messages in it, before objects are made.

    Args:
        data: the message; where it is broken, parsing it tells.
        most: fields that are allowed.

    Raises:
        RequestError: it has more.
    """
    at = count = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind == _BYTES:
            size, at = _varint(data, at)
            at += size
        else:
            at += _FIXED_BYTES.get(kind, 0)
        count += 1
        if count > most:
            raise RequestError(f"the message has more than the {most} fields allowed")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where the next one is."""
    value = 0
    for place, byte in enumerate(data[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    return value, len(data)


def parse(name: str, data: bytes) -> Any:
    """Return a message that was received.

    Raises:
        RequestError: the bytes are none.
    """
    try:
        return message(name).FromString(data)
    except DecodeError as error:
        raise RequestError(f"the request is no {name} message") from error


def build(name: str, fields: Mapping[str, Any]) -> bytes:
    """Return the bytes of a message; fields that it does not have are left out."""
    built: bytes = json_format.ParseDict(
        fields, message(name)(), ignore_unknown_fields=True
    ).SerializeToString()
    return built
