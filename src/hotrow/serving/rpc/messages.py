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
