from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.models.planted import INPUTS, draw, make_model
from torch import Tensor

from hotrow.config import override
from hotrow.embedding import TableConfig
from hotrow.errors import ConfigError
from hotrow.layers.attention import ActivationUnit
from hotrow.models import DIN, DINConfig, paper_inputs, preset
from hotrow.models.din import din_small
from hotrow.types import Batch, Inputs, Jagged, ListInput

ITEMS = ListInput(name="history", kind="sequence", table="item", rows=12, length=3)
PLACES = ListInput(name="places", kind="sequence", table="place", rows=5, length=3)
KINDS = ListInput(name="kinds", kind="sequence", table="kinds", rows=4, length=3)
TAGS = ListInput(name="tags", kind="bag", table="tags", rows=6, length=2)


def inputs_of(*lists: ListInput) -> Inputs:
    return replace(INPUTS, lists=lists)


def aligned(inputs: Inputs, size: int, *, seed: int = 0) -> Batch:
    """Draw examples whose lists are all as long as the first one."""
    batch = draw(inputs, size, seed)
    assert batch.lists is not None
    lengths = batch.lists.offsets.diff()[:size].repeat(len(inputs.lists))
    generator = torch.Generator().manual_seed(seed)
    total = int(lengths[:size].sum())
    ids = [torch.randint(0, f.rows, (total,), generator=generator) for f in inputs.lists]
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    return replace(batch, lists=Jagged(torch.cat(ids).int(), offsets))


def rows_of(model: DIN, table: str, ids: Tensor) -> Tensor:
    return model.embeddings.table_weight(table)[ids.long()]


def by_hand(model: DIN, batch: Batch, sequences: tuple[str, ...], candidates: tuple[str, ...]) -> Tensor:
    """Return the interests of aligned sequences, row by row."""
    config, lists = model.config, batch.lists
    assert lists is not None
    names = [feature.name for feature in config.lists]
    tables = [config.lists[names.index(name)].table for name in sequences]
    interests = []
    for row in range(len(batch)):
        starts = [names.index(name) * len(batch) + row for name in sequences]
        ids = [lists.ids[lists.offsets[start] : lists.offsets[start + 1]] for start in starts]
        pairs = zip(tables, ids, strict=True)
        keys = torch.cat([rows_of(model, table, of_table) for table, of_table in pairs], 1)
        columns = [config.inputs().names.index(name) for name in candidates]
        query = torch.cat(
            [rows_of(model, n, batch.ids[row, c]) for n, c in zip(candidates, columns, strict=True)]
        )
        each, compared = query.expand(len(keys), -1), keys[:, : len(query)]
        unit = next(unit for unit in model.units if isinstance(unit, ActivationUnit))
        four = torch.cat([keys, each, compared - each, compared * each], dim=1)
        weights = unit.rest(unit.first(four))
        interests.append((weights.softmax(0) if config.softmax else weights).mul(keys).sum(0))
    return torch.stack(interests)


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize(
    ("lists", "sequences", "candidates"),
    [
        ((ITEMS,), ("history",), ("item",)),
        ((TAGS, PLACES, ITEMS), ("places", "history"), ("place", "item")),
        ((KINDS, ITEMS), ("history", "kinds"), ("item",)),
    ],
)
def test_is_the_papers_formula(
    lists: tuple[ListInput, ...], sequences: tuple[str, ...], candidates: tuple[str, ...], softmax: bool
) -> None:
    inputs = inputs_of(*lists)
    model = make_model("din", replace(din_small(inputs), softmax=softmax)).eval()
    assert isinstance(model, DIN)
    batch = aligned(inputs, 9)
    interests = by_hand(model, batch, sequences, candidates)
    beside = torch.cat([batch.dense, model.embed(batch).pooled, interests], dim=1)
    torch.testing.assert_close(model(batch), model.top(beside).squeeze(1))


def test_sequences_of_other_lengths_are_histories_of_their_own() -> None:
    inputs = inputs_of(ITEMS, replace(PLACES, length=7))
    model = make_model("din", din_small(inputs)).eval()
    assert isinstance(model, DIN)
    assert [history.names for history in model.histories] == [("history",), ("places",)]
    assert model(draw(inputs, 9, 0)).isfinite().all()


def test_sequences_that_are_not_aligned_are_refused() -> None:
    inputs = inputs_of(ITEMS, PLACES)
    config = din_small(inputs)
    with pytest.raises(ConfigError, match="align: got True, expected false: sequences history and places"):
        make_model("din", config)(draw(inputs, 9, 0))
    apart = override(config, {"align": "false"})
    assert len(apart.histories) == 2
    assert make_model("din", apart)(draw(inputs, 9, 0)).isfinite().all()


def test_without_attention_histories_are_averaged() -> None:
    inputs = inputs_of(ITEMS)
    model = make_model("din", override(din_small(inputs), {"attention": "false"})).eval()
    assert isinstance(model, DIN)
    batch = draw(inputs, 9, 0)
    assert batch.lists is not None
    keys = rows_of(model, "item", batch.lists.ids)
    means = [part.sum(0) / max(len(part), 1) for part in keys.tensor_split(batch.lists.offsets[1:-1])]
    beside = torch.cat([batch.dense, model.embed(batch).pooled, torch.stack(means)], dim=1)
    torch.testing.assert_close(model(batch), model.top(beside).squeeze(1))


def test_sequences_without_a_candidate_are_averaged_beside_one_that_has_one() -> None:
    model = make_model("din", din_small(inputs_of(ITEMS, replace(KINDS, length=9))))
    assert isinstance(model, DIN)
    assert [isinstance(unit, ActivationUnit) for unit in model.units] == [True, False]


def test_order_of_events_does_not_matter() -> None:
    inputs = inputs_of(ITEMS)
    model = make_model("din", din_small(inputs)).eval()
    batch = draw(inputs, 9, 0)
    assert batch.lists is not None
    bags = batch.lists.ids.tensor_split(batch.lists.offsets[1:-1])
    backwards = torch.cat([bag.flip(0) for bag in bags])
    turned = replace(batch, lists=replace(batch.lists, ids=backwards))
    torch.testing.assert_close(model(turned), model(batch))


def test_deeprecsys_sizes() -> None:
    inputs = paper_inputs("din-paper")
    config = preset("din-paper", inputs)
    assert isinstance(config, DINConfig)
    assert config.facts().table_bytes / 1e9 == pytest.approx(2.70, abs=0.005)
    assert config.top_sizes == (32 + 3 * 32 + 32, 200, 80, 1)
    of_step = 2 * (64 + 1) + 2 * 32
    of_top = 2 * (160 * 200 + 200 * 80 + 80)
    assert config.facts().flop_per_item == of_top + 250 * of_step + 2 * 32
    assert config.facts().gathered_bytes_per_item == (1 + 250 + 9) * 32 * 4


def test_weights_sum_to_one_for_the_amazon_data_only() -> None:
    inputs = inputs_of(ITEMS)
    found = {name: preset(name, inputs) for name in ("din-amazon", "din-paper", "din-small")}
    assert {name: isinstance(c, DINConfig) and c.softmax for name, c in found.items()} == {
        "din-amazon": True,
        "din-paper": False,
        "din-small": False,
    }


def test_data_without_histories_are_refused() -> None:
    with pytest.raises(ConfigError, match="model: got 'din', expected data with a sequence feature;"):
        preset("din", inputs_of(TAGS))
    with pytest.raises(ConfigError, match="with a sequence feature of a categorical feature's ids"):
        preset("din", inputs_of(KINDS))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": (3, 0)}, r"unit: got \(3, 0\), expected positive widths"),
        ({"top": (3, 2)}, r"top: got \(3, 2\), expected positive widths, the last of them 1"),
        ({"lists": ()}, "lists: got .*, expected a sequence that shares the table"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields = {"tables": (TableConfig(name="item", rows=12, width=4),), "lists": (ITEMS,)}
    DINConfig(**fields)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        DINConfig(**{**fields, **change})  # type: ignore[arg-type]
