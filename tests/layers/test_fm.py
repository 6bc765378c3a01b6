from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch import Tensor

from hotrow.layers.fm import FactorisationMachine, fm_flop
from hotrow.layers.linear import LinearTerm


def make(num_dense: int, width: int, seed: int = 0) -> FactorisationMachine:
    return FactorisationMachine(num_dense, width, generator=torch.Generator().manual_seed(seed))


def pair_by_pair(machine: FactorisationMachine, x: Tensor, dense: Tensor) -> Tensor:
    vectors = [*x.unbind(1)]
    if machine.vectors is not None:
        vectors += [dense[:, n, None] * machine.vectors[n] for n in range(dense.shape[1])]
    return sum(((a * b).sum(1) for a, b in combinations(vectors, 2)), start=torch.zeros(len(x)).to(x))


@pytest.mark.parametrize(
    ("batch", "features", "num_dense", "width"), [(5, 3, 2, 4), (1, 1, 0, 3), (7, 2, 0, 1), (0, 2, 3, 2)]
)
def test_machine_is_all_pairs(batch: int, features: int, num_dense: int, width: int) -> None:
    machine = make(num_dense, width).double()
    x, dense = (
        torch.randn(batch, *shape, dtype=torch.float64) for shape in ((features, width), (num_dense,))
    )
    torch.testing.assert_close(machine(x, dense), pair_by_pair(machine, x, dense))


def test_machine_takes_columns_of_a_wider_block() -> None:
    machine, block, dense = make(2, 3), torch.randn(4, 11), torch.randn(4, 2)
    part = block[:, 1:10]
    torch.testing.assert_close(
        machine(part.view(-1, 3, 3), dense), machine(part.clone().view(-1, 3, 3), dense)
    )


def test_machine_does_not_round_what_nearly_cancels() -> None:
    machine, x, dense = make(3, 16), torch.randn(5, 2, 16), 100 * torch.randn(5, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = machine(x, dense)
    assert torch.equal(found, machine(x, dense))


def test_machine_gradient() -> None:
    machine = make(2, 3).double()
    x, dense = torch.randn(4, 2, 3, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(machine, (x.requires_grad_(), dense.requires_grad_()))


def test_machine_starts_small_and_by_the_generator_only() -> None:
    before = torch.get_rng_state()
    first, same, other = (make(200, 30, seed).vectors for seed in (1, 1, 2))
    assert first is not None
    assert same is not None
    assert other is not None
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert first.std().item() == pytest.approx(0.01, rel=0.05)


def test_machine_flop() -> None:
    assert fm_flop(1, 0, 1) == 5  # two sums of one, a square for each side and their difference
    assert fm_flop(26, 13, 16) - fm_flop(26, 0, 16) == 13 * (2 * 16 + 3)


def test_linear_term_is_a_weighted_sum() -> None:
    term = LinearTerm(3).double()
    assert term.weight is not None
    assert not term.weight.any()
    torch.nn.init.normal_(term.weight)
    looked_up, dense = torch.randn(5, 2, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    expected = looked_up[:, 0] + looked_up[:, 1] + dense @ term.weight
    torch.testing.assert_close(term(looked_up, dense), expected)
    assert torch.autograd.gradcheck(term, (looked_up.requires_grad_(), dense.requires_grad_()))


def test_linear_term_of_ids_alone() -> None:
    term = LinearTerm(0)
    assert not list(term.parameters())
    assert term(torch.ones(2, 3), torch.empty(2, 0)).tolist() == [3, 3]
