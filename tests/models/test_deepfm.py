from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.models.planted import INPUTS, WITH_LISTS, accuracy, crossed, draw, make_model

from hotrow.errors import ConfigError
from hotrow.models import DeepFM, DeepFMConfig, preset
from hotrow.models.deepfm import deepfm_paper, deepfm_small
from hotrow.models.wide_deep import wide_deep_paper


def test_paper_sizes() -> None:
    config = deepfm_paper(INPUTS)
    assert config.deep_sizes == (3 + 3 * 10, 400, 400, 400, 1)
    assert [table.width for table in config.tables] == [10] * 3 + [1] * 3


def test_is_the_formula() -> None:
    model = make_model("deepfm", deepfm_small(WITH_LISTS))
    assert isinstance(model, DeepFM)
    batch = draw(WITH_LISTS, 6, 3)
    shared, weights = torch.split(model.embed(batch).pooled, [5 * 16, 5], dim=1)
    expected = model.deep(torch.cat([batch.dense, shared], dim=1)).squeeze(1)
    expected = expected + model.fm(shared.reshape(6, 5, 16), batch.dense) + model.linear(weights, batch.dense)
    torch.testing.assert_close(model(batch), expected)


def test_machine_learns_an_interaction_by_itself() -> None:
    """A deep network of one linear layer: only the factorisation machine has products."""
    assert accuracy("deepfm", replace(deepfm_small(INPUTS), deep=(1,)), crossed, steps=60, rate=1e-2) > 0.95


def test_takes_data_without_dense_features() -> None:
    config = preset("deepfm", replace(INPUTS, num_dense=0))
    assert make_model("deepfm", config)(draw(config.inputs(), 4, 0)).shape == (4,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deep": ()}, r"deep: got \(\), expected positive widths, the last of them 1"),
        (
            {"tables": wide_deep_paper(INPUTS).tables},
            r"tables: got \[\], expected a table linear.NAME of width 1 for each other table",
        ),
        ({"tables": ()}, "tables: got .*at least one table"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields = vars(deepfm_small(INPUTS))
    with pytest.raises(ConfigError, match=message):
        DeepFMConfig(**{**fields, **change})
