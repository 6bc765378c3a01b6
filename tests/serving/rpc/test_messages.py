from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from hypothesis import given
from hypothesis import strategies as st
from tools.compile_proto import TARGET, compile_proto

from hotrow.errors import RequestError
from hotrow.serving.rpc.messages import calls, message, require_few_fields


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


FIELDS = [
    b"\x0a\x05model",  # bytes
    b"\x32\x80\x00",  # a length in more bytes than it needs
    b"\x98\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a varint of an unknown field
    b"\x99\x06" + b"\xff" * 8,  # eight bytes
    b"\x9d\x06" + b"\xff" * 4,  # four bytes
]


@given(fields=st.lists(st.sampled_from(FIELDS), max_size=20), most=st.integers(0, 20))
def test_fields_are_counted_as_they_are_parsed(fields: list[bytes], most: int) -> None:
    data = b"".join(fields)
    message("ModelInferRequest").FromString(data)  # it is one
    if len(fields) <= most:
        require_few_fields(data, most)
        return
    with pytest.raises(RequestError, match=f"more than the {most} fields allowed"):
        require_few_fields(data, most)


@given(data=st.binary(max_size=60))
def test_a_broken_message_is_left_to_the_parser(data: bytes) -> None:
    require_few_fields(data, len(data))


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
