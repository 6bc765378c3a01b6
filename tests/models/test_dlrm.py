from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from tests.models.planted import INPUTS, WITH_LISTS, accuracy, crossed, draw, make_model

from hotrow.embedding import TableConfig
from hotrow.errors import ConfigError
from hotrow.models import DLRM, DLRMConfig, preset
from hotrow.models.dlrm import dlrm_small
from hotrow.types import Inputs

TABLES = (TableConfig(name="a", rows=4, width=8),)


def test_kaggle_sizes() -> None:
    config = preset("dlrm-kaggle", Inputs(num_dense=13, names=("a", "b", "c"), rows=(100, 7, 30)))
    assert isinstance(config, DLRMConfig)
    assert config.bottom_sizes == (13, 512, 256, 64, 16)
    assert config.top_sizes == (16 + 6, 512, 256, 1)
    assert {table.width for table in config.tables} == {16}


def test_small_counts_and_names() -> None:
    config = preset("dlrm-small", INPUTS)
    assert (
        config.facts().flop_per_item
        == 2 * (3 * 64 + 64 * 32 + 32 * 16 + 22 * 128 + 128 * 64 + 64) + 2 * 16 * 6
    )
    dense = dict(make_model("dlrm-small", config).dense_parameters())
    assert "top.layers.0.weight" in dense
    assert not any(name.startswith("embeddings") for name in dense)


@pytest.mark.parametrize("name", ["dlrm-rmc1", "dlrm-rmc2", "dlrm-rmc3"])
def test_published_ones_put_vectors_side_by_side(name: str) -> None:
    config = preset(name, WITH_LISTS)
    assert isinstance(config, DLRMConfig)
    assert config.top_sizes[0] == (1 + 5) * config.width
    model = make_model(name, config)
    assert isinstance(model, DLRM)
    batch = draw(WITH_LISTS, 5, 0)
    beside = torch.cat([model.bottom(batch.dense), model.embed(batch).pooled], dim=1)
    torch.testing.assert_close(model(batch), model.top(beside).squeeze(1))


@pytest.mark.parametrize("interaction", ["dot", "cat"])
def test_learns_an_interaction(interaction: Literal["dot", "cat"]) -> None:
    config = replace(dlrm_small(INPUTS), interaction=interaction)
    assert accuracy("dlrm", config, crossed) > 0.95


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": ()}, "tables: got .*at least one table"),
        ({"num_dense": 0}, "tables: got .*two features or more"),
        ({"bottom": (4, 9)}, r"bottom: got \(4, 9\), expected positive widths, the last of them 8"),
        ({"top": (4, 2)}, r"top: got \(4, 2\), expected positive widths, the last of them 1"),
        ({"top": ()}, "top: got"),
        ({"bottom": (0, 8)}, "bottom: got"),
        (
            {"tables": (*TABLES, TableConfig(name="b", rows=4, width=4))},
            r"tables: got \[4, 8\], expected tables of one",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {"tables": TABLES, "num_dense": 2, "bottom": (8,), "top": (1,)}
    DLRMConfig(**fields)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        DLRMConfig(**{**fields, **change})  # type: ignore[arg-type]


def test_data_without_dense_features_are_refused() -> None:
    with pytest.raises(ConfigError, match="model: got 'dlrm-rmc1', expected data with a dense feature"):
        preset("dlrm-rmc1", replace(INPUTS, num_dense=0))


def test_without_dense_features_there_is_no_bottom_network() -> None:
    inputs = replace(INPUTS, num_dense=0)
    config = dlrm_small(inputs)
    model = make_model("dlrm-small", config)
    assert not any(name.startswith("bottom") for name, _ in model.dense_parameters())
    batch = draw(inputs, 5, 0)
    x_BFD = model.embed(batch).pooled.view(5, -1, 16)
    first, second = x_BFD[:, 0], x_BFD[:, 1]
    assert isinstance(model, DLRM)
    met = model.interact(x_BFD)
    assert met.shape == (5, config.top_sizes[0])
    torch.testing.assert_close(met[:, :17], torch.cat([first, (first * second).sum(1, keepdim=True)], dim=1))
    torch.testing.assert_close(model(batch), model.top(met).squeeze(1))
