"""The page of the model zoo knows every model and preset."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotrow.models import config_type, model_name, paper_of, presets

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


@pytest.mark.parametrize("name", presets())
def test_docs_tell_of_every_preset(name: str) -> None:
    lines = PAGE.read_text().split("\n\n", maxsplit=3)[2].splitlines()
    (row,) = (line for line in lines if line.startswith(f"| `{model_name(name)}` |"))
    assert f"`{name}`" in row.split("|")[-2]
    assert config_type(name).paper in row
    assert paper_of(name) in row
