"""The page of the model zoo knows every model and preset."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotrow.models import config_type, model_name, presets

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


@pytest.mark.parametrize("name", presets())
def test_docs_tell_of_every_preset(name: str) -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{model_name(name)}` |")]
    assert len(rows) == 1
    assert f"`{name}`" in rows[0].split("|")[-2]
    assert config_type(name).paper in rows[0]
