"""Which files and folders ``prepare`` may read and write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hotrow.data.dataset import SCHEMA_FILE
from hotrow.errors import ConfigError, DataError, MissingFileError, OutputExistsError


def check_paths(sources: Sequence[Path], out: Path, *, overwrite: bool, folders: bool = False) -> None:
    """Refuse what can be refused before anything is read.

    Args:
        sources: what is to be read.
        out: what is to be written.
        overwrite: whether a data set may be replaced.
        folders: whether sources may be folders.

    Raises:
        ConfigError: there are no sources.
        MissingFileError: a source is not there.
        DataError: a source is a folder, is given twice or lies within ``out``.
        OutputExistsError: ``out`` is no data set, or is one and may not be replaced.
    """
    if not sources:
        raise ConfigError("sources", [], "at least one file")
    seen = set()
    for source in sources:
        if source.is_dir() and not folders:
            raise DataError(source, "is a folder, expected a file")
        if not source.exists():
            raise MissingFileError(source, "a file or folder" if folders else "a raw log, plain or .gz")
        if source.resolve() in seen:
            raise DataError(source, "is given twice, expected each source once")
        seen.add(source.resolve())
        if out.resolve() in source.resolve().parents:
            raise DataError(source, f"lies within the output {out}, expected it elsewhere")
    if overwrite and out.is_dir() and any(out.iterdir()) and not (out / SCHEMA_FILE).is_file():
        raise OutputExistsError(
            out, "it is no prepared data set and is not overwritten, choose another folder"
        )
