"""Artifacts to break."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotrow.artifact._checksums import write_checksums

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def artifact(criteo_run: Path, tmp_path: Path) -> Path:
    """Return a copy of an artifact that a test may alter."""
    return Path(shutil.copytree(criteo_run / "model", tmp_path / "model"))


@pytest.fixture
def edit_manifest(artifact: Path) -> Callable[[Edit], None]:
    """Return a function that edits ``model.json`` as an attacker would: checksums are made right again."""

    def edit(change: Edit) -> None:
        path = artifact / "model.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        reseal(artifact)

    return edit


def reseal(artifact: Path) -> None:
    (artifact / "checksums.json").unlink()
    write_checksums(artifact)


@pytest.fixture
def sealed() -> Callable[[Path], None]:
    """Return the function that makes an altered artifact's checksums right again."""
    return reseal
