from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.models.planted import INPUTS, WITH_LISTS, accuracy, crossed, draw, make_model
from torch.nn import functional as F

from hotrow.errors import ConfigError
from hotrow.models import TwoTower, TwoTowerConfig, paper_inputs, preset
from hotrow.models.two_tower import two_tower_paper, two_tower_small
from hotrow.types import Batch, ListInput

TAGGED = replace(
    WITH_LISTS,
    lists=(*WITH_LISTS.lists, ListInput(name="item_tags", kind="bag", table="item_tags", rows=5)),
)
"""Features user, item, place, history, tags, item_tags."""


def make(config: TwoTowerConfig) -> TwoTower:
    model = make_model("two-tower", config)
    assert isinstance(model, TwoTower)
    return model


def test_features_of_the_item_go_by_their_names() -> None:
    assert two_tower_small(TAGGED).item_features == ("item", "item_tags")
    assert two_tower_small(paper_inputs("two-tower")).item_features == ("item", "year", "genres")


def test_paper_sizes() -> None:
    config = two_tower_paper(TAGGED)
    assert config.user_sizes == (3 + 4 * 64, 1024, 512, 128)
    assert config.item_sizes == (2 * 64, 1024, 512, 128)


@pytest.mark.parametrize("items", [("item", "item_tags"), ("place",), ("tags", "user", "item")])
def test_is_the_formula(items: tuple[str, ...]) -> None:
    config = replace(two_tower_small(TAGGED), item_features=items)
    model, batch = make(config), draw(TAGGED, 6, 6)
    with torch.no_grad():
        model.bias.fill_(0.3)
    names = ("user", "item", "place", "history", "tags", "item_tags")
    found = dict(zip(names, torch.split(model.embed(batch).pooled, 16, dim=1), strict=True))
    user = [batch.dense, *(found[name] for name in names if name not in items)]
    item = [found[name] for name in names if name in items]
    u = F.normalize(model.user(torch.cat(user, dim=1)), dim=1)
    v = F.normalize(model.item(torch.cat(item, dim=1)), dim=1)
    torch.testing.assert_close(model(batch), 5 * (u * v).sum(1) + 0.3)
    torch.testing.assert_close(model.user_vectors(batch), u)
    torch.testing.assert_close(model.item_vectors(batch), v)


def test_inner_products_rank_as_the_logits() -> None:
    model = make(two_tower_small(INPUTS))
    user, items = draw(INPUTS, 1, 1), torch.arange(12, dtype=torch.int32)
    ids = user.ids.repeat(12, 1)
    ids[:, 1] = items
    candidates = Batch(user.dense.repeat(12, 1), ids)
    products = model.item_vectors(candidates) @ model.user_vectors(user)[0]
    assert torch.equal(model(candidates).argsort(), products.argsort())


def test_vectors_do_not_see_the_other_side() -> None:
    model, batch, other = make(two_tower_small(INPUTS)), draw(INPUTS, 9, 1), draw(INPUTS, 9, 2)
    is_item = torch.tensor([False, True, False])
    same_items = Batch(other.dense, torch.where(is_item, batch.ids, other.ids))
    assert torch.equal(model.item_vectors(batch), model.item_vectors(same_items))
    same_users = Batch(batch.dense, torch.where(is_item, other.ids, batch.ids))
    assert torch.equal(model.user_vectors(batch), model.user_vectors(same_users))


def test_learns_which_items_suit_which_users() -> None:
    model = two_tower_small(INPUTS)
    assert accuracy("two-tower", model, crossed) > 0.95
    assert math.exp(make(model).log_scale.item()) == pytest.approx(5)


@pytest.mark.parametrize(
    ("names", "num_dense", "missing"),
    [
        (("user", "ad"), 3, "a feature `item` or `item_...`"),
        (("user", "year"), 3, "a feature `item` or `item_...`"),
        (("item", "item_shop"), 0, "a feature of the user"),
    ],
)
def test_data_without_a_side_are_refused(names: tuple[str, ...], num_dense: int, missing: str) -> None:
    inputs = replace(INPUTS, num_dense=num_dense, names=names, rows=(5, 5))
    with pytest.raises(ConfigError) as caught:
        preset("two-tower", inputs)
    assert str(caught.value).startswith(f"model: got 'two-tower', expected data with {missing}; models")


def test_dense_features_are_enough_of_a_user() -> None:
    config = two_tower_small(replace(INPUTS, names=("item",), rows=(5,)))
    assert config.user_sizes == (3, 64, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"item_features": ("film", "item")},
            r"item_features: got \['film'\], expected some of user, item, place",
        ),
        ({"item_features": ()}, r"item_features: got \(\), expected at least one feature"),
        ({"item_features": ("user", "item", "place"), "num_dense": 0}, "one left for the user"),
        ({"tower": ()}, r"tower: got \(\), expected at least one width"),
        ({"tower": (0,)}, r"tower: got \(0,\), expected positive widths"),
        ({"tables": ()}, "tables: got .*at least one table"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields = vars(two_tower_small(INPUTS))
    with pytest.raises(ConfigError, match=message):
        TwoTowerConfig(**{**fields, **change})
