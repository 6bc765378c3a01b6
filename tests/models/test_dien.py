from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.models.planted import INPUTS, draw, make_model
from torch import Tensor

from hotrow.config import override
from hotrow.embedding import TableConfig
from hotrow.errors import ConfigError
from hotrow.layers.gru import GRU
from hotrow.layers.jagged import Segments, make_segments
from hotrow.models import DIEN, DIENConfig, paper_inputs, preset
from hotrow.models.dien import NEGATIVE_SHIFT, InterestEvolution, dien_small
from hotrow.models.histories import History
from hotrow.types import ListInput

ITEMS = ListInput(name="history", kind="sequence", table="item", rows=12, length=3)
KINDS = ListInput(name="kinds", kind="sequence", table="kinds", rows=4, length=9)
TAGS = ListInput(name="tags", kind="bag", table="tags", rows=6, length=2)
LENGTHS = [[3, 0, 2, 1], [1], [5, 0], [2, 2, 2], [1, 1]]
K, H = 3, 4


def make_evolution() -> InterestEvolution:
    history = History(sequences=(0,), names=("history",), columns=(slice(0, K),), key=K, query=K, length=2)
    generator = torch.Generator().manual_seed(5)
    return InterestEvolution(history, H, auxiliary=True, generator=generator).double()


def segments_of(lengths: list[int]) -> Segments:
    return make_segments(torch.tensor([0, *lengths]).cumsum(0), sum(lengths))


def some(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=generator, requires_grad=True)


def step(gru: GRU, x: Tensor, state: Tensor, scale: Tensor | float = 1.0) -> Tensor:
    by_input, by_state = (x @ gru.of_input.T + gru.bias).chunk(3), (state @ gru.of_state.T).chunk(3)
    reset, update = (by_input[0] + by_state[0]).sigmoid(), (by_input[1] + by_state[1]).sigmoid() * scale
    return (1 - update) * state + update * (by_input[2] + reset * by_state[2]).tanh()


def by_hand(
    model: InterestEvolution, keys: Tensor, queries: Tensor, lengths: list[int]
) -> tuple[Tensor, Tensor]:
    """Return the last states (B, H) and the auxiliary loss, row by row and event by event."""
    ends, loss, start = [], keys.new_zeros(()), 0
    shift = min(max(1, int(NEGATIVE_SHIFT * len(keys))), max(1, len(keys) - 1))
    for query, length in zip(queries, lengths, strict=True):
        states = [keys.new_zeros(H)]
        for event in keys[start : start + length]:
            states.append(step(model.extract, event, states[-1]))
        attention = torch.stack([model.attend(query) @ state for state in states])[1:].softmax(0)
        state = keys.new_zeros(H)
        for interest, scale in zip(states[1:], attention, strict=True):
            state = step(model.evolve, interest, state, scale)
        ends.append(state)
        for time in range(length - 1):
            following = start + time + 1
            predicted = model.predict(states[time + 1])
            other = keys[(following + shift) % len(keys)]
            told, mistaken = (predicted @ keys[following]).sigmoid(), (predicted @ other).sigmoid()
            loss = loss - (told.log() + (1 - mistaken).log()) / (length - 1)
        start += length
    return torch.stack(ends), loss


@pytest.mark.parametrize("lengths", LENGTHS)
def test_is_the_papers_formula_with_its_gradients(lengths: list[int]) -> None:
    model, segments = make_evolution(), segments_of(lengths)
    keys, queries = some(sum(lengths), K), some(len(lengths), K)
    ends, interests = model(keys, queries, segments)
    found = (ends, model.auxiliary_loss(keys, interests, segments))
    expected = by_hand(model, keys, queries, lengths)
    torch.testing.assert_close(found, expected)
    inputs = [keys, queries, *model.parameters()]
    weights = some(len(lengths), H).detach()

    def gradients(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        loss = (weights * pair[0]).sum() + pair[1]
        return torch.autograd.grad(loss, inputs, materialize_grads=True)

    torch.testing.assert_close(gradients(found), gradients(expected))


def test_negatives_are_other_events() -> None:
    for steps in range(2, 50):
        shift = min(max(1, int(NEGATIVE_SHIFT * steps)), steps - 1)
        assert 0 < shift < steps


def test_rows_without_events_have_no_interest_and_no_loss() -> None:
    model, segments = make_evolution(), segments_of([0, 0])
    ends, interests = model(some(0, K), some(2, K), segments)
    assert torch.equal(ends, torch.zeros_like(ends))
    assert model.auxiliary_loss(some(0, K), interests, segments).item() == 0


def test_auxiliary_loss_is_weighted() -> None:
    inputs = replace(INPUTS, lists=(ITEMS, TAGS))
    batch = draw(inputs, 9, 0)
    losses = []
    for weight in (1.0, 0.25):
        model = make_model("dien", replace(dien_small(inputs), auxiliary=weight))
        logits, loss = model.training_output(batch)
        torch.testing.assert_close(logits, model(batch))
        assert loss is not None
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0] / 4)
    assert batch.lists is not None
    rows = int((batch.lists.offsets.diff()[:9] >= 2).sum())
    assert losses[0] == pytest.approx(rows * 2 * math.log(2), rel=0.1)  # at the start it guesses


def test_without_auxiliary_loss_nothing_of_it_is_there() -> None:
    config = override(dien_small(replace(INPUTS, lists=(ITEMS,))), {"auxiliary": "0"})
    model = make_model("dien", config)
    assert model.training_output(draw(config.inputs(), 9, 0))[1] is None
    assert not any("predict" in name for name, _ in model.dense_parameters())
    assert config.network_facts()[0] == sum(p.numel() for _, p in model.dense_parameters())


def test_order_of_events_matters() -> None:
    inputs = replace(INPUTS, lists=(ITEMS,))
    model = make_model("dien", dien_small(inputs)).eval()
    batch = draw(inputs, 30, 0)
    assert batch.lists is not None
    bags = batch.lists.ids.tensor_split(batch.lists.offsets[1:-1])
    backwards = torch.cat([bag.flip(0) for bag in bags])
    turned = replace(batch, lists=replace(batch.lists, ids=backwards))
    is_same = torch.tensor([torch.equal(bag, bag.flip(0)) for bag in bags])
    differs = (model(turned) - model(batch)).abs() > 1e-7
    assert torch.equal(differs, ~is_same)


def test_sequences_without_a_candidate_are_averaged() -> None:
    model = make_model("dien", dien_small(replace(INPUTS, lists=(ITEMS, KINDS))))
    assert isinstance(model, DIEN)
    assert [isinstance(part, InterestEvolution) for part in model.evolutions] == [True, False]
    assert model(draw(model.config.inputs(), 9, 0)).isfinite().all()


def test_deeprecsys_sizes() -> None:
    config = preset("dien-paper", paper_inputs("dien-paper"))
    assert isinstance(config, DIENConfig)
    assert config.facts().table_bytes / 1e9 == pytest.approx(3.90, abs=0.005)
    assert config.top_sizes == (43 * 32 + 64, 200, 80, 1)
    assert config.facts().gathered_bytes_per_item == (43 + 50) * 32 * 4


@pytest.mark.parametrize("sequences", [(), (TAGS,), (KINDS,)])
def test_data_without_histories_are_refused(sequences: tuple[ListInput, ...]) -> None:
    with pytest.raises(ConfigError, match="model: got 'dien', expected data with a sequence feature"):
        preset("dien", replace(INPUTS, lists=sequences))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": 0}, "hidden: got 0, expected at least 1"),
        ({"auxiliary": -1.0}, "auxiliary: got -1.0, expected a finite number of at least 0"),
        ({"auxiliary": float("nan")}, "auxiliary: got nan"),
        ({"top": (3, 2)}, r"top: got \(3, 2\), expected positive widths, the last of them 1"),
        ({"lists": ()}, "lists: got .*, expected a sequence that shares the table"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields = {"tables": (TableConfig(name="item", rows=12, width=4),), "lists": (ITEMS,)}
    DIENConfig(**fields)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        DIENConfig(**{**fields, **change})  # type: ignore[arg-type]
