from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.models.planted import INPUTS, WITH_LISTS, accuracy, crossed, draw, make_model

from hotrow.errors import ConfigError
from hotrow.models import Wukong, WukongConfig, preset
from hotrow.models.wukong import wukong_of_scale, wukong_small


def test_sizes_of_a_scale() -> None:
    small, large = wukong_of_scale(WITH_LISTS, 1), wukong_of_scale(WITH_LISTS, 3)
    assert small.layer_sizes() == [(6, 16, 8, (128,), (8, 8)), (16, 16, 8, (128,), (8, 8))]
    assert large.layer_sizes()[1:] == [(64, 16, 32, (512,), (32, 32))] * 3
    assert wukong_of_scale(INPUTS, 1, width=8).bottom == (64, 8)
    with pytest.raises(ConfigError, match="scale: got 0, expected at least 1"):
        wukong_of_scale(INPUTS, 0)


def test_is_the_formula() -> None:
    model = make_model("wukong-small", wukong_small(WITH_LISTS))
    assert isinstance(model, Wukong)
    batch = draw(WITH_LISTS, 4, 0)
    x = torch.cat([model.embed(batch).pooled.view(4, 5, 16), model.bottom(batch.dense).view(4, 1, 16)], dim=1)
    for layer in model.layers:
        x = layer(x)
    torch.testing.assert_close(model(batch), model.top(x.flatten(1)).squeeze(1))


def test_learns_an_interaction() -> None:
    assert accuracy("wukong", wukong_small(INPUTS), crossed, steps=60) > 0.95


def test_takes_data_without_dense_features() -> None:
    config = preset("wukong-small", replace(INPUTS, num_dense=0))
    model = make_model("wukong-small", config)
    assert config.network_facts()[0] == sum(parameter.numel() for _, parameter in model.dense_parameters())
    assert model(draw(config.inputs(), 4, 0)).shape == (4,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": ()}, "tables: got .*at least one table"),
        ({"bottom": (8,)}, r"bottom: got \(8,\), expected positive widths, the last of them 16"),
        ({"layers": 0}, "layers: got 0, expected at least 1"),
        ({"machine_vectors": 0}, "machine_vectors: got 0, expected at least 1"),
        ({"compressed_vectors": 0}, "compressed_vectors: got 0, expected at least 1"),
        ({"rank": -1}, "rank: got -1, expected at least 1"),
        ({"hidden": (0,)}, r"hidden: got \(0,\), expected positive widths"),
        ({"top": (4,)}, r"top: got \(4,\), expected positive widths, the last of them 1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields = vars(wukong_small(INPUTS))
    with pytest.raises(ConfigError, match=message):
        WukongConfig(**{**fields, **change})
