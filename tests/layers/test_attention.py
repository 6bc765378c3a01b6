from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hotrow.layers import attention
from hotrow.layers.attention import ActivationUnit, activation_unit_facts
from hotrow.layers.dice import Activation
from hotrow.layers.jagged import Segments, make_segments, to_steps


def make_unit(
    key: int, query: int, hidden: tuple[int, ...], activation: Activation = "prelu", start: float | None = 0.5
) -> ActivationUnit:
    generator = torch.Generator().manual_seed(3)
    sizes = (key, query, hidden)
    return ActivationUnit(*sizes, activation=activation, start=start, generator=generator)


def some_steps(key: int, query: int) -> tuple[Tensor, Tensor, Segments]:
    return torch.randn(6, key), torch.randn(4, query), make_segments(torch.tensor([0, 3, 3, 5, 6]), 6)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 2)])
@pytest.mark.parametrize(("key", "query"), [(4, 4), (6, 4)])
@pytest.mark.parametrize("activation", ["prelu", "dice"])
def test_is_a_network_of_four_vectors(
    hidden: tuple[int, ...], key: int, query: int, activation: Activation
) -> None:
    unit = make_unit(key, query, hidden, activation)
    keys, queries, segments = some_steps(key, query)
    each = to_steps(queries, segments)
    compared = keys[:, :query]
    four = torch.cat([keys, each, compared - each, compared * each], dim=1)
    torch.testing.assert_close(unit(keys, queries, segments), unit.rest(unit.first(four)).squeeze(1))


def test_starts_near_a_number() -> None:
    for hidden in ((), (5,)):
        unit = make_unit(4, 4, hidden, start=0.25)
        last = [module for module in unit.modules() if isinstance(module, nn.Linear)][-1]
        assert last.bias.tolist() == [0.25]


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_may_have_no_constant(hidden: tuple[int, ...]) -> None:
    unit = make_unit(4, 4, hidden, start=None)
    last = [module for module in unit.modules() if isinstance(module, nn.Linear)][-1]
    assert [name for name, _ in last.named_parameters()] == ["weight"]
    parameters, _, _ = activation_unit_facts(4, 4, hidden, "prelu", constant=False)
    assert parameters == sum(parameter.numel() for parameter in unit.parameters())
    assert unit(*some_steps(4, 4)).shape == (6,)


def test_scores_in_parts_where_no_gradient_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = make_unit(4, 4, (5,), "dice").eval()
    keys, queries, segments = some_steps(4, 4)
    expected = unit(keys, queries, segments)
    for chunk in (1, 4, 6, 100):
        monkeypatch.setattr(attention, "CHUNK", chunk)
        with torch.no_grad():
            torch.testing.assert_close(unit(keys, queries, segments), expected)
    nothing = make_segments(torch.zeros(3, dtype=torch.int64), 0)
    with torch.no_grad():
        assert unit(keys[:0], queries[:2], nothing).shape == (0,)


def test_counts() -> None:
    unit = make_unit(6, 4, (5, 2), "dice")
    parameters, of_step, of_row = activation_unit_facts(6, 4, (5, 2), "dice", constant=True)
    assert parameters == sum(parameter.numel() for parameter in unit.parameters())
    with FlopCounterMode(display=False) as counter:
        unit(*some_steps(6, 4))
    assert counter.get_total_flops() == 6 * of_step + 4 * of_row
