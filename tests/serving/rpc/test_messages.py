from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from tools.compile_proto import TARGET, compile_proto

from hotrow.serving.rpc.messages import calls, message


def test_the_compiled_messages_are_those_of_the_source(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    compile_proto(tmp_path / "new.binpb")
    made = [FileDescriptorSet.FromString(path.read_bytes()) for path in (tmp_path / "new.binpb", TARGET)]
    assert made[0] == made[1]


def test_messages_are_those_of_tritons_client() -> None:
    service: Any = pytest.importorskip(
        "tritonclient.grpc.service_pb2", reason="tritonclient[grpc] is not installed"
    )
    for call in calls():
        for kind in ("Request", "Response"):
            _require_within(message(call + kind).DESCRIPTOR, getattr(service, call + kind).DESCRIPTOR)


def _require_within(ours: Any, theirs: Any, seen: frozenset[str] = frozenset()) -> None:
    """Require every field of ours to be one of theirs, of the same number and type."""
    assert ours.full_name == theirs.full_name
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        assert (field.number, field.type, field.is_repeated) == (other.number, other.type, other.is_repeated)
        if field.message_type is not None and ours.full_name not in seen:
            _require_within(field.message_type, other.message_type, seen | {ours.full_name})
        if field.enum_type is not None:
            assert _numbers(field.enum_type) == _numbers(other.enum_type)


def _numbers(enum: Any) -> dict[str, int]:
    return {value.name: value.number for value in enum.values}
