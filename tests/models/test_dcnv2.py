from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch
from tests.models.planted import INPUTS, WITH_LISTS, accuracy, crossed, draw, make_model

from hotrow.errors import ConfigError
from hotrow.models import DCNv2, DCNv2Config, preset
from hotrow.models.dcnv2 import dcnv2_mlperf, dcnv2_small


def test_mlperf_sizes() -> None:
    config = dcnv2_mlperf(WITH_LISTS)
    assert config.bottom_sizes == (3, 512, 256, 128)
    assert config.crossed_width == (1 + 5) * 128
    assert config.deep_sizes == (768, 1024, 1024, 512, 256, 1)
    assert config.last_sizes == ()
    assert (config.crosses, config.rank, config.structure) == (3, 512, "stacked")


def test_width_moves_the_bottom_only_where_it_is_that_wide() -> None:
    assert dcnv2_mlperf(INPUTS).with_width(64).bottom == (512, 256, 64)
    assert replace(dcnv2_mlperf(INPUTS), bottom=(32,)).with_width(64).bottom == (32,)


@pytest.mark.parametrize("structure", ["stacked", "parallel"])
def test_is_the_formula(structure: Literal["stacked", "parallel"]) -> None:
    deep = (5, 1) if structure == "stacked" else (5,)
    model = make_model("dcnv2", replace(dcnv2_small(WITH_LISTS), structure=structure, deep=deep))
    assert isinstance(model, DCNv2)
    batch = draw(WITH_LISTS, 6, 1)
    x = torch.cat([batch.dense, model.embed(batch).pooled], dim=1)
    if structure == "stacked":
        expected = model.deep(model.cross(x))
    else:
        expected = model.last(torch.cat([model.cross(x), model.deep(x)], dim=1))
    torch.testing.assert_close(model(batch), expected.squeeze(1))


@pytest.mark.parametrize("rank", [8, None])
def test_crosses_learn_an_interaction_by_themselves(rank: int | None) -> None:
    """A deep network of one linear layer after the crosses: only they can cross."""
    config = replace(dcnv2_small(INPUTS), structure="stacked", rank=rank, deep=(1,))
    assert accuracy("dcnv2", config, crossed, rate=1e-2) > 0.95


def test_takes_data_without_dense_features() -> None:
    config = preset("dcnv2-small", replace(INPUTS, num_dense=0))
    assert make_model("dcnv2-small", config)(draw(config.inputs(), 4, 0)).shape == (4,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": ()}, "tables: got .*at least one table"),
        ({"num_dense": 0, "bottom": (4,)}, "num_dense: got 0, expected at least 1"),
        ({"bottom": (0,)}, r"bottom: got \(0,\), expected positive widths"),
        ({"crosses": 0}, "crosses: got 0, expected at least 1"),
        ({"rank": 0}, "rank: got 0, expected at least 1"),
        ({"structure": "stacked"}, r"deep: got \(128, 64\), expected positive widths, the last of them 1"),
        ({"deep": (-3,)}, r"deep: got \(-3,\), expected positive widths"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields = vars(dcnv2_small(INPUTS))
    with pytest.raises(ConfigError, match=message):
        DCNv2Config(**{**fields, **change})


def test_mlperf_needs_a_dense_feature() -> None:
    with pytest.raises(ConfigError, match="model: got 'dcnv2-mlperf', expected data with a dense feature"):
        preset("dcnv2-mlperf", replace(INPUTS, num_dense=0))
