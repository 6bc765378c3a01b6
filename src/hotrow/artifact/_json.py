"""Reading JSON that may be hostile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hotrow.errors import ArtifactError

MAX_BYTES = 64 * 1024**2
"""No description of a model is longer; a longer file is refused before it is read."""


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that must hold one JSON object.

    Raises:
        ArtifactError: it is too long, not UTF-8, not JSON, nested too deeply, or no object.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ArtifactError(f"{path}: longer than {MAX_BYTES} bytes, which no artifact's description is")
    try:
        value = json.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{path}: not readable JSON ({error}); the artifact was cut short or altered"
        ) from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value
