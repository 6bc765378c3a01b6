from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.errors import InternalError
from hotrow.serving.engine.messages import PACKET_BYTES, Body, Kind, Outcome, Reply, Task

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)


@given(
    st.builds(
        Task,
        st.sampled_from(Kind),
        U64,
        U64,
        *[U32] * 5,
        header_bytes=st.integers(-1, 2**31 - 1),
        body=st.sampled_from(Body),
    )
)
def test_a_task_survives_its_packet(task: Task) -> None:
    assert Task.unpack(task.pack()) == task


@given(st.builds(Reply, st.sampled_from(Outcome), st.floats(0, 1e9), U32, U64, st.binary(max_size=99)))
def test_a_reply_survives_its_packet(reply: Reply) -> None:
    assert Reply.unpack(reply.pack()) == reply


def test_a_long_text_is_cut() -> None:
    packet = Reply(Outcome.REFUSED, 0.0, text=b"x" * 99_999).pack()
    assert len(packet) == PACKET_BYTES
    assert set(Reply.unpack(packet).text) == {ord("x")}


def test_what_is_no_reply_is_told() -> None:
    with pytest.raises(InternalError, match="3 bytes"):
        Reply.unpack(b"abc")
