"""Where a shrunk run may be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotrow.errors import ConfigError
from hotrow.shrink.folder import require_room


@pytest.mark.parametrize("out", ["run", "run/small", "run/model/small", "data", "data/small", "."])
def test_not_within_or_around_what_it_is_made_from(tmp_path: Path, out: str) -> None:
    run, data = tmp_path / "run", tmp_path / "data"
    with pytest.raises(ConfigError, match=r"--out: got .*, expected a folder apart from "):
        require_room(run, run / "model", data, tmp_path / out, overwrite=True)
    require_room(run, run / "model", data, tmp_path / "small", overwrite=True)
