from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.models.planted import INPUTS, WITH_LISTS, accuracy, added, crossed, draw, make_model

from hotrow.embedding import TableConfig
from hotrow.errors import ConfigError
from hotrow.models import WideDeep, WideDeepConfig, preset
from hotrow.models.wide_deep import wide_deep_paper, wide_deep_small


@pytest.mark.parametrize("name", ["wide-deep-small", "wide-deep-paper"])
def test_is_the_formula(name: str) -> None:
    config = preset(name, WITH_LISTS)
    model = make_model(name, config)
    assert isinstance(model, WideDeep)
    batch = draw(WITH_LISTS, 6, 2)
    deep, wide = model.embed(batch).pooled.tensor_split([5 * config.main_tables[0].width], dim=1)
    expected = model.deep(torch.cat([batch.dense, deep], dim=1)).squeeze(1)
    if name == "wide-deep-small":
        assert model.wide is not None
        assert model.wide.weight is not None
        torch.nn.init.normal_(model.wide.weight)
        assert wide.shape[1] == 5
        expected = expected + wide.sum(1) + batch.dense @ model.wide.weight
    else:
        assert model.wide is None
        assert wide.shape[1] == 0
    torch.testing.assert_close(model(batch), expected)


def test_wide_part_learns_a_sum_by_itself_and_no_interaction() -> None:
    config = replace(wide_deep_small(INPUTS), deep=(1,))
    assert accuracy("wide-deep", config, added, steps=80, rate=3e-2) > 0.95
    assert accuracy("wide-deep", config, crossed, steps=60, rate=3e-2) < 0.6


def test_learns_an_interaction() -> None:
    assert accuracy("wide-deep", wide_deep_small(INPUTS), crossed) > 0.95


def test_takes_data_without_dense_features() -> None:
    config = preset("wide-deep", replace(INPUTS, num_dense=0))
    assert make_model("wide-deep", config)(draw(config.inputs(), 4, 0)).shape == (4,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wide": False}, "wide: got False, expected True: the tables hold a wide part"),
        ({"tables": wide_deep_paper(INPUTS).tables}, "wide: got True, expected False: the tables hold no"),
        ({"deep": (4,)}, r"deep: got \(4,\), expected positive widths, the last of them 1"),
        (
            {"tables": tuple(TableConfig(name=name, rows=3, width=1) for name in ("a", "linear.b"))},
            r"tables: got \['linear.b'\], expected a table linear.NAME of width 1 for each other table",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields = vars(wide_deep_small(INPUTS))
    with pytest.raises(ConfigError, match=message):
        WideDeepConfig(**{**fields, **change})
