"""What a preparation has done already, so that one that was killed can be gone on with.

The journal lies in the unfinished folder and is replaced as a whole. It says what is prepared, so that only
the same preparation goes on; and in which boot, because what was not flushed to the disk survives a kill, but
no power failure.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hotrow.data.dataset import FORMAT_VERSION
from hotrow.data.rejections import REJECTED_FILE
from hotrow.data.vocabulary import VOCABULARY_FOLDER
from hotrow.version import hotrow_version

_FILE = "journal.json"
STAGE = "stage"
"""Part: the name of the folder of the rows."""

_KEPT = (_FILE, REJECTED_FILE, VOCABULARY_FOLDER)
_BOOT = Path("/proc/sys/kernel/random/boot_id")

Identity = Mapping[str, Any]
"""What is prepared, as plain JSON types."""


class Journal:
    """Parts of a preparation by name, each with what is to be known of it.

    Args:
        folder: of the preparation.
        identity: what it prepares.
    """

    def __init__(self, folder: Path, identity: Identity) -> None:
        self._folder = folder
        self._path, self._beside = folder / _FILE, folder / f"{_FILE}.new"
        self._parts: dict[str, Any] = _read(folder) or {"identity": identity, STAGE: "stage"}
        self._remove_others()

    def get(self, part: str) -> Any:
        """Return what is known of a part; None if it has not begun."""
        return self._parts.get(part)

    def note(self, part: str, known: Any, *, stage: str | None = None) -> None:
        """Write down what is known of a part, and which folder the rows are in from then on."""
        self._parts[part] = known
        self._parts[STAGE] = stage or self._parts[STAGE]
        self._beside.write_text(json.dumps(self._parts), encoding="utf-8")
        self._beside.replace(self._path)

    @property
    def stage(self) -> Path:
        """The folder of the rows."""
        return self._folder / str(self._parts[STAGE])

    def remove(self) -> None:
        """Remove it, when all is done."""
        self._beside.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def _remove_others(self) -> None:
        """Remove what a killed preparation had begun to write and did not note."""
        for entry in self._folder.iterdir():
            if entry.is_dir() and entry.name not in (*_KEPT, self._parts[STAGE]):
                shutil.rmtree(entry)


def identity_of(sources: Sequence[Path], settings: Mapping[str, Any]) -> Identity | None:
    """Return what is prepared; None where it cannot be told whether that is the same later: of pipes.

    Args:
        sources: raw logs, which exist.
        settings: all that the result depends on beside them, as plain JSON types.
    """
    if not all(source.is_file() for source in sources):
        return None
    stats = [(source, source.stat()) for source in sources]
    identity = {
        "format_version": FORMAT_VERSION,
        "hotrow": hotrow_version(),
        "boot": _BOOT.read_text().strip() if _BOOT.is_file() else "",
        "sources": [[str(source.resolve()), stat.st_size, stat.st_mtime_ns] for source, stat in stats],
        **settings,
    }
    plain: Identity = json.loads(json.dumps(identity))
    return plain


def is_of(folder: Path, identity: Identity) -> bool:
    """Return whether an unfinished folder is of this preparation, and can be gone on with."""
    parts = _read(folder)
    return parts is not None and parts["identity"] == identity and (folder / parts[STAGE]).is_dir()


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        parts: dict[str, Any] = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or not of this place: the preparation begins anew
        return None
    return parts
