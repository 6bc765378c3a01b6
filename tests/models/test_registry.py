from __future__ import annotations

from typing import Self

import pytest
import torch

from hotrow.config import from_mapping, to_mapping
from hotrow.embedding import EmbeddingTables, TableConfig
from hotrow.errors import ConfigError
from hotrow.models import DLRM, DLRMConfig, ModelConfig, build_model, config_type, model_name, preset, presets
from hotrow.types import Batch, Inputs

INPUTS = Inputs(num_dense=13, names=("C1", "C2", "C3"), rows=(100, 7, 30))


def test_presets() -> None:
    assert presets() == ("dlrm-kaggle", "dlrm-small")


def test_alias_is_the_same_preset() -> None:
    assert preset("dlrm", INPUTS) == preset("dlrm-kaggle", INPUTS)
    assert model_name("dlrm-small") == model_name("dlrm") == "dlrm"


@pytest.mark.parametrize("name", presets())
def test_config_survives_json(name: str) -> None:
    config = preset(name, INPUTS)
    assert from_mapping(config_type(name), to_mapping(config)) == config


def test_unknown_model_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="model: got 'dlmr', expected one of dlrm, dlrm-kaggle, dlrm-small"):
        preset("dlmr", INPUTS)
    with pytest.raises(ConfigError, match="one of"):
        model_name("x")


def test_config_of_another_model_is_refused() -> None:
    class Other(ModelConfig):
        def network_facts(self) -> tuple[int, int]:
            return 0, 0

        def with_width(self, width: int) -> Self:
            return self

    with pytest.raises(TypeError, match="model dlrm: got a Other, expected a DLRMConfig"):
        build_model("dlrm", Other(tables=()), torch.nn.Identity())


def test_kaggle_sizes() -> None:
    config = preset("dlrm-kaggle", INPUTS)
    assert isinstance(config, DLRMConfig)
    assert config.bottom_sizes == (13, 512, 256, 64, 16)
    assert config.top_sizes == (16 + 6, 512, 256, 1)
    assert {table.width for table in config.tables} == {16}


@pytest.mark.parametrize("name", presets())
def test_another_width_reaches_tables_and_networks(name: str) -> None:
    config = preset(name, INPUTS).with_width(24)
    assert {table.width for table in config.tables} == {24}
    assert config.facts().gathered_bytes_per_item == 3 * 24 * 4
    model = build_model(name, config, EmbeddingTables(config.tables, optimizer=None))
    out = model(Batch(torch.rand(2, 13), torch.ones(2, 3, dtype=torch.int32)))
    assert out.shape == (2,)


def test_facts_agree_with_the_built_model() -> None:
    config = preset("dlrm-small", INPUTS)
    tables = EmbeddingTables(config.tables, optimizer=None)
    model = build_model("dlrm-small", config, tables)
    assert isinstance(model, DLRM)
    facts = config.facts()
    assert facts.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert facts.table_bytes == sum(parameter.nbytes for parameter in tables.parameters())
    assert facts.gathered_bytes_per_item == 3 * 16 * 4
    assert facts.flop_per_item == 2 * (13 * 64 + 64 * 32 + 32 * 16 + 22 * 128 + 128 * 64 + 64) + 2 * 16 * 6
    dense = dict(model.dense_parameters())
    assert "top.layers.0.weight" in dense
    assert not any(name.startswith("embeddings") for name in dense)


TABLES = (TableConfig(name="a", rows=4, width=8),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": ()}, "tables: got .*at least one table"),
        ({"num_dense": 0}, "num_dense: got 0, expected at least 1"),
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
