from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hotrow.layers.gru import GRU, gru_flop, gru_parameters
from hotrow.layers.jagged import make_segments
from hotrow.layers.packing import Packing, make_packing

LENGTHS = [[3, 0, 2, 1], [0, 0], [], [1], [5, 0], [2, 2, 2]]
I, H = 3, 4  # noqa: E741 - as in the docstrings


def make_gru() -> GRU:
    gru = GRU(I, H, generator=torch.Generator().manual_seed(1)).double()
    gru.bias.data.uniform_(-1, 1, generator=torch.Generator().manual_seed(2))
    return gru


def packing_of(lengths: list[int]) -> Packing:
    return make_packing(make_segments(torch.tensor([0, *lengths]).cumsum(0), sum(lengths)))


def draw(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=generator, requires_grad=True)


def padded(gru: GRU, x_LI: Tensor, lengths: list[int], scale_L: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return states (L, H) in flat order and last states (B, H), all rows as long as the longest."""
    longest, state = max(lengths, default=0), x_LI.new_zeros(len(lengths), H)
    starts = [sum(lengths[:row]) for row in range(len(lengths))]
    states: dict[int, Tensor] = {}
    for time in range(longest):
        places = [start + time if time < n else -1 for start, n in zip(starts, lengths, strict=True)]
        is_there = torch.tensor([place >= 0 for place in places])
        index = torch.tensor(places).clamp(min=0)
        by_input = (x_LI[index] @ gru.of_input.T + gru.bias).chunk(3, dim=1)
        by_state = (state @ gru.of_state.T).chunk(3, dim=1)
        reset, update = ((by_input[i] + by_state[i]).sigmoid() for i in (0, 1))
        candidate = (by_input[2] + reset * by_state[2]).tanh()
        share = update if scale_L is None else update * scale_L[index][:, None]
        state = torch.where(is_there[:, None], (1 - share) * state + share * candidate, state)
        states |= {place: state[row] for row, place in enumerate(places) if place >= 0}
    found = [states[place] for place in range(sum(lengths))]
    return (torch.stack(found) if found else x_LI.new_zeros(0, H)), state


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("used", ["states", "last", "both"])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_against_a_padded_one(lengths: list[int], used: str, scaled: bool) -> None:
    gru, packing, x = make_gru(), packing_of(lengths), draw(sum(lengths), I)
    scale = draw(sum(lengths)) if scaled else None
    packed, last = gru(packing.pack(x), packing, None if scale is None else packing.pack(scale))
    found, expected = (packing.unpack(packed), last), padded(gru, x, lengths, scale)
    torch.testing.assert_close(found, expected)
    if not sum(lengths):
        return
    inputs = [x, *gru.parameters(), *([] if scale is None else [scale])]

    def gradients(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        parts = {"states": pair[:1], "last": pair[1:], "both": pair}[used]
        loss = sum((draw(*part.shape).detach() * part).sum() for part in parts)
        assert isinstance(loss, Tensor)
        return torch.autograd.grad(loss, inputs)

    torch.testing.assert_close(gradients(found), gradients(expected))


def test_against_torchs() -> None:
    lengths = [4, 1, 3]
    ours, torchs, packing = make_gru(), nn.GRU(I, H, dtype=torch.float64), packing_of(lengths)
    turn = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64).repeat_interleave(H)  # its z is 1 - u
    torchs.load_state_dict(
        {
            "weight_ih_l0": ours.of_input * turn[:, None],
            "weight_hh_l0": ours.of_state * turn[:, None],
            "bias_ih_l0": ours.bias * turn,
            "bias_hh_l0": torch.zeros(3 * H, dtype=torch.float64),
        }
    )
    x = packing.pack(draw(sum(lengths), I))
    sequence = nn.utils.rnn.PackedSequence(x, packing.sizes[packing.sizes > 0])
    states, last = torchs(sequence)
    torch.testing.assert_close(ours(x, packing), (states.data, last[0, packing.ranks]))


def test_compiled_code_keeps_it_whole() -> None:
    gru, packing = make_gru(), packing_of([3, 0, 2])
    inputs = [draw(5, I), draw(5)]

    def run(x: Tensor, scale: Tensor) -> Tensor:
        states, last = gru(x, packing, scale)
        loss: Tensor = states.square().sum() + last.sum()
        return loss

    compiled = torch.compile(run, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*inputs), run(*inputs))
    expected = torch.autograd.grad(run(*inputs), [*inputs, *gru.parameters()])
    torch.testing.assert_close(torch.autograd.grad(compiled(*inputs), [*inputs, *gru.parameters()]), expected)


def test_operators_describe_themselves() -> None:
    gru, packing = make_gru(), packing_of([3, 0, 2])
    arguments = (draw(5, I), draw(5), packing.sizes, 3, gru.of_input, gru.of_state, gru.bias)
    torch.library.opcheck(torch.ops.hotrow.gru, arguments)


def test_counts() -> None:
    gru, packing = make_gru(), packing_of([3, 0, 2])
    assert gru_parameters(I, H) == sum(parameter.numel() for parameter in gru.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        gru(draw(5, I), packing)
    assert counter.get_total_flops() == 5 * gru_flop(I, H)
