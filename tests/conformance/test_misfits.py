"""Data that lacks what a model needs: one line that names it, and the models that fit."""

from __future__ import annotations

import re

import pytest
from tests.conformance.cases import KINDS

from hotrow.errors import ConfigError
from hotrow.models import preset, presets, presets_for
from hotrow.types import Inputs

NOTHING = Inputs(num_dense=0, names=(), rows=())
MISFITS = [(name, kind) for name in presets() for kind in KINDS if name not in presets_for(KINDS[kind])]


def require_one_clear_line(name: str, inputs: Inputs) -> None:
    with pytest.raises(ConfigError) as caught:
        preset(name, inputs)
    message = str(caught.value)
    found = re.fullmatch(
        r"model: got '(.+?)', expected data with (.+); models that fit this data: (.+)", message
    )
    assert found is not None, message
    assert found[1] == name
    assert found[3] == (", ".join(presets_for(inputs)) or "none")


@pytest.mark.parametrize(("name", "kind"), MISFITS)
def test_misfit(name: str, kind: str) -> None:
    require_one_clear_line(name, KINDS[kind])


@pytest.mark.parametrize("name", presets())
def test_data_without_any_feature(name: str) -> None:
    require_one_clear_line(name, NOTHING)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_tested_with_some_inputs(name: str) -> None:
    assert any(name in presets_for(inputs) for inputs in KINDS.values())
