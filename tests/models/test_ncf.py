from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from tests.models.planted import INPUTS, WITH_LISTS, accuracy, crossed, draw, make_model

from hotrow.config import from_mapping, override, to_mapping
from hotrow.embedding import EmbeddingTables, TableConfig
from hotrow.errors import ConfigError
from hotrow.models import NCF, NCFConfig, ncf_config, preset
from hotrow.models.ncf import Kind
from hotrow.types import Batch

PAIR = (TableConfig(name="user", rows=8, width=4), TableConfig(name="item", rows=12, width=4))


def rows_of(model: NCF, table: str, batch: Batch, column: int) -> torch.Tensor:
    return model.embeddings.table_weight(table)[batch.ids[:, column].long()]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_is_the_papers_formula(kind: Kind) -> None:
    model = make_model("ncf", ncf_config(WITH_LISTS, kind, factors=3))
    assert isinstance(model, NCF)
    batch = draw(WITH_LISTS, 9, 0)
    gmf = "gmf." if kind == "neumf" else ""
    product = rows_of(model, f"{gmf}user", batch, 0) * rows_of(model, f"{gmf}item", batch, 1)
    beside = torch.cat([rows_of(model, "user", batch, 0), rows_of(model, "item", batch, 1)], dim=1)
    if kind == "gmf":
        z = product
    else:
        z = model.mlp(beside) if kind == "mlp" else torch.cat([product, model.mlp(beside)], dim=1)
    torch.testing.assert_close(model(batch), model.final(z).squeeze(1))


def test_sizes_follow_the_factors() -> None:
    neumf = ncf_config(INPUTS, "neumf", factors=8)
    assert [(table.name, table.rows, table.width) for table in neumf.tables] == [
        *(("user", 8, 32), ("item", 12, 32)),
        *(("gmf.user", 8, 8), ("gmf.item", 12, 8)),
    ]
    assert neumf.mlp_sizes == (64, 32, 16, 8)
    assert neumf.final_sizes == (16, 1)
    assert ncf_config(INPUTS, "gmf", factors=8).final_sizes == (8, 1)
    assert ncf_config(INPUTS, "mlp", factors=8).final_sizes == (8, 1)


def test_deeprecsys_sizes() -> None:
    config = preset("ncf-paper", INPUTS)
    assert isinstance(config, NCFConfig)
    assert config.mlp_sizes == (128, 256, 256, 128, 64)
    assert config.final_sizes == (128, 64, 1)


def test_user_and_item_may_be_any_two_features() -> None:
    config = ncf_config(INPUTS, "neumf", factors=8, user="place", item="user")
    assert config.columns == (2, 0, 2, 0)
    assert [(table.name, table.rows) for table in config.tables[1:3]] == [("user", 8), ("gmf.place", 5)]
    model = make_model("ncf", config)
    batch = draw(INPUTS, 6, 0)
    other_item = replace(batch, ids=batch.ids.clone())
    other_item.ids[:, 1] = 0
    torch.testing.assert_close(model(other_item), model(batch))


def test_settings_move_the_tables_along() -> None:
    config = override(ncf_config(INPUTS, "neumf", factors=8), {"item": "place"})
    assert config == ncf_config(INPUTS, "neumf", factors=8, item="place")
    assert from_mapping(NCFConfig, to_mapping(config)) == config


def test_another_width() -> None:
    config = ncf_config(INPUTS, "neumf", factors=8).with_width(24)
    assert (config.mlp_sizes, config.final_sizes) == ((48, 32, 16, 8), (32, 1))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_learns_an_interaction(kind: Kind) -> None:
    assert accuracy("ncf", ncf_config(INPUTS, kind, factors=8), crossed, rate=1e-2) > 0.95


def test_no_state_besides_weights() -> None:
    model = NCF(ncf_config(INPUTS, "gmf", factors=8), EmbeddingTables(PAIR, optimizer=None))
    assert [name for name in model.state_dict() if "embeddings" not in name] == [
        "final.layers.0.weight",
        "final.layers.0.bias",
    ]


@pytest.mark.parametrize("names", [("user",), ("user", "movie", "place"), ("shop", "item", "place")])
def test_data_without_a_pair_are_refused(names: tuple[str, ...]) -> None:
    expected = (
        "model: got 'ncf', expected data with two categorical features, or `user` and `item` among them"
    )
    with pytest.raises(ConfigError, match=expected):
        preset("ncf", replace(INPUTS, names=names, rows=(8, 12, 5)[: len(names)]))


@pytest.mark.parametrize(
    ("names", "columns"), [(("place", "item", "user"), (2, 1, 2, 1)), (("shop", "film"), (0, 1, 0, 1))]
)
def test_user_and_item_go_by_name_or_are_the_only_two(
    names: tuple[str, ...], columns: tuple[int, ...]
) -> None:
    config = preset("ncf", replace(INPUTS, names=names, rows=(8, 12, 5)[: len(names)]))
    assert isinstance(config, NCFConfig)
    assert config.columns == columns


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user": "x"}, "user: got 'x', expected one of user, item, place"),
        ({"item": "user"}, "item: got 'user', expected another feature than the user"),
        ({"tables": PAIR[:1]}, "tables: got 1, expected 2 tables of gmf"),
        ({"kind": "neumf"}, "tables: got 2, expected 4 tables of neumf; ncf-neumf is the preset"),
        ({"tables": (PAIR[0], replace(PAIR[1], width=5))}, r"tables: got \[4, 5\], expected one width"),
        ({"mlp": (3, 0)}, r"mlp: got \(3, 0\), expected positive widths"),
        ({"kind": "mlp", "mlp": ()}, r"mlp: got \(\), expected at least one width"),
        ({"final": (3, 2)}, r"final: got \(3, 2\), expected positive widths, the last of them 1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {
        "tables": PAIR, "data": INPUTS, "user": "user", "item": "item", "kind": "gmf"
    }  # fmt: skip
    NCFConfig(**fields)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        NCFConfig(**{**fields, **change})  # type: ignore[arg-type]
