from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.models.planted import INPUTS, WITH_LISTS, accuracy, added, crossed, draw, make_model

from hotrow.errors import ConfigError
from hotrow.models import MTWideDeep, MTWideDeepConfig, preset
from hotrow.models.mt_wide_deep import mt_wide_deep_paper, mt_wide_deep_small
from hotrow.types import Batch, Inputs

TASKS = ("click", "like", "share")


def test_paper_sizes() -> None:
    config = mt_wide_deep_paper(replace(WITH_LISTS, tasks=TASKS))
    assert config.tasks == TASKS
    assert config.shared_sizes == (3 + 5 * 32, 1024, 512)
    assert config.tower_sizes == (512, 256, 128, 1)


def test_is_the_formula() -> None:
    model = make_model("mt-wide-deep", mt_wide_deep_small(replace(WITH_LISTS, tasks=TASKS)))
    assert isinstance(model, MTWideDeep)
    batch = draw(WITH_LISTS, 6, 4)
    h = model.shared(torch.cat([batch.dense, model.embed(batch).pooled], dim=1))
    expected = torch.stack([tower(h).squeeze(1) for tower in model.towers], dim=1)
    assert expected.shape == (6, 3)
    torch.testing.assert_close(model(batch), expected)


def test_one_task_gives_one_logit() -> None:
    config = replace(mt_wide_deep_small(replace(INPUTS, tasks=TASKS)), tasks=("click",))
    assert make_model("mt-wide-deep", config)(draw(INPUTS, 4, 0)).shape == (4,)


def test_towers_learn_a_rule_each() -> None:
    def two_rules(inputs: Inputs, size: int, seed: int) -> Batch:
        batch, other = crossed(inputs, size, seed), added(inputs, size, seed)
        assert batch.labels is not None
        assert other.labels is not None
        return replace(batch, labels=torch.stack([batch.labels, other.labels], dim=1))

    config = mt_wide_deep_small(replace(INPUTS, tasks=TASKS[:2]))
    assert accuracy("mt-wide-deep", config, two_rules, steps=100) > 0.93


@pytest.mark.parametrize("name", ["mt-wide-deep-paper", "mt-wide-deep-small", "esmm-paper", "esmm-small"])
def test_one_label_is_too_few(name: str) -> None:
    with pytest.raises(
        ConfigError, match=f"model: got '{name}', expected data with two labels or more; models"
    ):
        preset(name, INPUTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shared": (0,)}, r"shared: got \(0,\), expected positive widths"),
        ({"tower": (4,)}, r"tower: got \(4,\), expected positive widths, the last of them 1"),
        ({"tables": ()}, "tables: got .*at least one table"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    fields = vars(mt_wide_deep_small(replace(INPUTS, tasks=TASKS)))
    with pytest.raises(ConfigError, match=message):
        MTWideDeepConfig(**{**fields, **change})
