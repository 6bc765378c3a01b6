from __future__ import annotations

from dataclasses import replace

import pytest

from hotrow.errors import ConfigError
from hotrow.models import preset
from hotrow.types import Inputs, ListInput

HISTORY = ListInput(name="history", kind="sequence", table="item", rows=40, length=4)
INPUTS = Inputs(num_dense=2, names=("user", "item"), rows=(50, 40), lists=(HISTORY,))
PRESETS = ("dlrm-small", "din-small", "dien-small", "wide-deep-small", "wukong-small")


@pytest.mark.parametrize("name", PRESETS)
def test_a_list_of_an_unknown_table_is_refused(name: str) -> None:
    config = preset(name, INPUTS)
    with pytest.raises(ConfigError, match=r"lists\.history\.table: got 'itme', expected one of"):
        replace(config, lists=(replace(HISTORY, table="itme"),))


@pytest.mark.parametrize("name", PRESETS)
def test_a_table_that_a_list_shares_may_not_be_left_out(name: str) -> None:
    config = preset(name, INPUTS)
    with pytest.raises(ConfigError, match=r"lists\.history\.table"):
        replace(config, tables=tuple(table for table in config.tables if table.name != "item"))


@pytest.mark.parametrize("name", PRESETS)
def test_without_a_task_there_is_nothing_to_learn(name: str) -> None:
    with pytest.raises(ConfigError, match=r"tasks: got \(\), expected at least one label"):
        replace(preset(name, INPUTS), tasks=())
