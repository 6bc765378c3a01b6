from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from hotrow.layers.jagged import make_segments
from hotrow.layers.packing import Packing, make_packing

some_lengths = st.lists(st.integers(0, 5), max_size=9)


def packing_of(lengths: list[int]) -> Packing:
    return make_packing(make_segments(torch.tensor([0, *lengths]).cumsum(0), sum(lengths)))


@given(some_lengths)
def test_is_the_order_of_torchs_packed_sequences(lengths: list[int]) -> None:
    packing, steps = packing_of(lengths), torch.arange(sum(lengths))
    filled = [part for part in steps.split(lengths) if len(part)] if lengths else []  # type: ignore[no-untyped-call]
    if not filled:
        assert packing.order.numel() == 0
        return
    filled.sort(key=len, reverse=True)
    expected = pack_sequence(filled)
    assert torch.equal(packing.pack(steps), expected.data)
    assert torch.equal(packing.sizes[packing.sizes > 0], expected.batch_sizes)


@given(some_lengths)
def test_ranks_go_by_length_and_then_by_row(lengths: list[int]) -> None:
    by_rank = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    assert packing_of(lengths).ranks.tolist() == [by_rank.index(row) for row in range(len(lengths))]


def test_unpack_is_the_way_back() -> None:
    packing = packing_of([2, 0, 4, 1])
    x = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    assert torch.equal(packing.unpack(packing.pack(x)), x)
    torch.autograd.gradcheck(packing.pack, (x,))
    torch.autograd.gradcheck(packing.unpack, (x[:, 0],))
