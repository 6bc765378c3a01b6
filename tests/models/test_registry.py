from __future__ import annotations

from dataclasses import replace
from typing import Self

import pytest
import torch
from tests.models.planted import draw

from hotrow.config import from_mapping, to_mapping
from hotrow.embedding import EmbeddingTables
from hotrow.errors import ConfigError
from hotrow.models import (
    ModelConfig,
    build_model,
    config_type,
    model_name,
    paper_of,
    preset,
    presets,
    presets_for,
)
from hotrow.types import Inputs, ListInput

INPUTS = Inputs(num_dense=13, names=("C1", "C2", "C3"), rows=(100, 7, 30))


def inputs_of(name: str) -> Inputs:
    """Return small inputs that a preset fits."""
    history = ListInput(name="history", kind="sequence", table="C2", rows=7, length=2)
    candidates = (
        INPUTS,
        replace(INPUTS, names=("user", "item", "C3"), tasks=("click", "like")),
        replace(INPUTS, lists=(history,)),
    )
    return next(inputs for inputs in candidates if name in presets_for(inputs))


def test_presets() -> None:
    assert list(presets()) == sorted(presets())
    assert {"dlrm-kaggle", "dlrm-small"} < set(presets())


def test_alias_is_the_same_preset() -> None:
    assert preset("dlrm", INPUTS) == preset("dlrm-kaggle", INPUTS)
    assert model_name("dlrm-small") == model_name("dlrm") == "dlrm"


def test_paper_of_a_preset_is_its_own_or_its_models() -> None:
    assert paper_of("dlrm-rmc2") == "https://arxiv.org/abs/1906.03109"
    assert paper_of("dlrm") == paper_of("dlrm-small") == "https://arxiv.org/abs/1906.00091"


@pytest.mark.parametrize("name", presets())
def test_config_survives_json(name: str) -> None:
    config = preset(name, inputs_of(name))
    assert from_mapping(config_type(name), to_mapping(config)) == config


def test_unknown_model_lists_the_known() -> None:
    with pytest.raises(
        ConfigError, match=r"model: got 'dlmr', expected one of .*dlrm, dlrm-kaggle, .*dlrm-small"
    ):
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


@pytest.mark.parametrize("name", presets())
def test_another_width_reaches_tables_and_networks(name: str) -> None:
    config = preset(name, inputs_of(name)).with_width(24)
    assert {table.width for table in config.main_tables} == {24}
    tables = EmbeddingTables(config.tables, features=config.features(), optimizer=None)
    out = build_model(name, config, tables)(draw(config.inputs(), 2, 0))
    assert out.shape == ((2,) if len(config.tasks) == 1 else (2, len(config.tasks)))


@pytest.mark.parametrize("name", presets())
def test_facts_agree_with_the_built_model(name: str) -> None:
    config = preset(name, inputs_of(name))
    tables = EmbeddingTables(config.tables, features=config.features(), optimizer=None)
    model = build_model(name, config, tables)
    facts = config.facts()
    assert facts.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert facts.table_bytes == sum(parameter.nbytes for parameter in tables.parameters())
    networks = sum(parameter.numel() for _, parameter in model.dense_parameters())
    assert config.network_facts()[0] == networks
    widths = {table.name: table.width for table in config.tables}
    lengths = {feature.name: feature.length for feature in config.lists}
    looked_up = [widths[feature.table] * lengths.get(feature.name, 1) for feature in config.features()]
    assert facts.gathered_bytes_per_item == 4 * sum(looked_up)
