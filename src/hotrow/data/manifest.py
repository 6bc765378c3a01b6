"""``schema.json`` of a prepared data set: its schema, its splits and shards, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotrow.config import to_mapping
from hotrow.data.dataset import FORMAT_VERSION, SCHEMA_FILE
from hotrow.data.schema import Schema
from hotrow.files import write_json


@dataclass(frozen=True, kw_only=True)
class ShardInfo:
    """One shard.

    Attributes:
        file: its path below the data set's folder.
        rows: its rows.
        sha256: digest of its content; tells one data set from another.
    """

    file: str
    rows: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SplitInfo:
    """One split.

    Attributes:
        rows: rows of all its shards.
        positives: how many of them have label 1.
        shards: its shards, in row order.
    """

    rows: int
    positives: int
    shards: tuple[ShardInfo, ...]


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """One raw log that was prepared.

    Attributes:
        file: its path as it was given.
        rows: accepted rows.
        rejected: rejected rows.
    """

    file: str
    rows: int
    rejected: int


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything ``schema.json`` says; ``hotrow.data.dataset`` reads it.

    Attributes:
        format_version: version of the folder's layout.
        schema: how rows are encoded.
        splits: ``train``, ``valid`` and ``test``.
        sources: the raw logs, in order.
        options: the options it was prepared with.
    """

    format_version: int = FORMAT_VERSION
    schema: Schema
    splits: dict[str, SplitInfo]
    sources: tuple[SourceInfo, ...]
    options: dict[str, Any]

    def save(self, folder: Path) -> None:
        """Write ``schema.json`` into a data set's folder."""
        write_json(folder / SCHEMA_FILE, to_mapping(self))
