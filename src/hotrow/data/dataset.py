"""A prepared data set: its schema, and its rows as memory-mapped numpy views.

Nothing is read at opening but ``schema.json`` and each shard's footer; the operating system reads
rows as they are used. Data sets are written by :mod:`hotrow.data.prepare`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data._shard import map_shard
from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import Schema
from hotrow.errors import ConfigError, DataError
from hotrow.files import read_json

FORMAT_VERSION = 1

SPLITS = ("train", "valid", "test")

SCHEMA_FILE = "schema.json"

_EXPECTED = "a prepared data set (made by `hotrow prepare`)"


@dataclass(frozen=True, kw_only=True)
class _Shard:
    """A file of consecutive rows of a split."""

    file: Path
    rows: int
    sha256: str | None


class Dataset:
    """A prepared data set; open one with :meth:`open`.

    Attributes:
        path: its folder.
        schema: its features.
    """

    def __init__(self, path: Path, schema: Schema, splits: Mapping[str, Sequence[_Shard]]) -> None:
        self.path = path
        self.schema = schema
        self._splits = {name: tuple(shards) for name, shards in splits.items()}

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        """Open the prepared data set in folder ``path``.

        Raises:
            MissingFileError: there is no prepared data set.
            DataError: its ``schema.json`` cannot be used, or a shard is missing or cut short.
            ConfigError: a field of the schema is unknown, missing or of the wrong type.
        """
        folder = Path(path)
        file = folder / SCHEMA_FILE
        content = _read(file)
        schema = Schema.from_mapping(content["schema"], where=f"{file}: schema")
        dataset = cls(folder, schema, {name: _shards(folder, file, content, name) for name in SPLITS})
        for split in SPLITS:
            dataset.shards(split)
        return dataset

    @property
    def vocab_folder(self) -> Path:
        """Folder of the vocabularies: ``<name>.arrow`` for each of ``schema.vocabulary_names()``."""
        return self.path / "vocab"

    def rows(self, split: str) -> int:
        """Return how many rows a split has.

        Raises:
            ConfigError: there is no such split.
        """
        return sum(shard.rows for shard in self._of(split))

    def shards(self, split: str) -> tuple[EncodedBlock, ...]:
        """Map a split's rows into memory, in order, as read-only views that copy nothing.

        Raises:
            ConfigError: there is no such split.
            DataError: a shard is missing, cut short or does not fit the schema.
        """
        return tuple(map_shard(shard.file, self.schema, rows=shard.rows) for shard in self._of(split))

    def fingerprint(self) -> str:
        """Return a short digest that two data sets share only when they hold the same rows.

        It covers the schema and every shard's place, length and checksum; a shard whose checksum
        was not recorded counts with its size in bytes.
        """
        facts = {
            name: [
                (
                    str(shard.file.relative_to(self.path)),
                    shard.rows,
                    shard.sha256 or shard.file.stat().st_size,
                )
                for shard in shards
            ]
            for name, shards in self._splits.items()
        }
        text = json.dumps([self.schema.encoding(), facts], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _of(self, split: str) -> tuple[_Shard, ...]:
        if split not in self._splits:
            raise ConfigError("split", split, " or ".join(SPLITS))
        return self._splits[split]


def copy_rows(
    shards: Sequence[EncodedBlock], starts: Sequence[int], first: int, out: EncodedBlock
) -> list[tuple[EncodedList, ...]]:
    """Copy consecutive rows of a split, across shard borders, into ``out`` (all of its rows).

    Args:
        shards: the split's shards.
        starts: row of the split at which each shard starts.
        first: first row of the split to copy.
        out: where to, but for list features; its labels must not be None.

    Returns:
        The M list features of these rows, a tuple for each shard they lie in, not copied.
    """
    index = int(np.searchsorted(np.asarray(starts), first, side="right")) - 1
    done, wanted = 0, out.dense.shape[0]
    runs = []
    while done < wanted:
        shard, offset = shards[index], first + done - starts[index]
        count = min(wanted - done, shard.dense.shape[0] - offset)
        here, there = slice(done, done + count), slice(offset, offset + count)
        for source, target in zip(fixed_columns(shard), fixed_columns(out), strict=True):
            target[here] = source[there]
        runs.append(tuple(column.take(there) for column in shard.lists))
        done += count
        index += 1
    return runs


def take_rows(
    shards: Sequence[EncodedBlock], starts: Sequence[int], rows: NDArray[np.int64], out: EncodedBlock
) -> list[tuple[EncodedList, ...]]:
    """Copy single rows of a split, by number, into ``out`` (all of its rows).

    Args:
        shards: the split's shards.
        starts: row of the split at which each shard starts.
        rows: (B,) numbers of rows, ascending.
        out: where to, but for list features; its labels must not be None.

    Returns:
        The M list features of these rows, a tuple for each shard they lie in, not copied.
    """
    firsts = np.searchsorted(rows, starts).tolist()
    runs = []
    for shard, start, first, last in zip(shards, starts, firsts, [*firsts[1:], len(rows)], strict=True):
        if first == last:
            continue
        here, there = slice(first, last), rows[first:last] - start
        for source, target in zip(fixed_columns(shard), fixed_columns(out), strict=True):
            # With the default mode="raise", numpy would fill a buffer first; all indices are ours.
            np.take(source, there, axis=0, out=target[here], mode="clip")
        runs.append(tuple(column.take(there) for column in shard.lists))
    return runs


def fixed_columns(block: EncodedBlock) -> tuple[NDArray[Any], ...]:
    """Return the columns that have the same number of values in every row: all but list features."""
    assert block.labels is not None
    columns = (block.dense, block.ids, block.labels)
    return columns if block.groups is None else (*columns, block.groups)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file, expected=_EXPECTED)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(file, f"not JSON ({error}), expected {_EXPECTED}") from error
    if not isinstance(content, dict) or "format_version" not in content:
        raise DataError(file, f"no field format_version, expected {_EXPECTED}")
    if content["format_version"] != FORMAT_VERSION:
        raise DataError(
            file,
            f"format_version {content['format_version']!r}, this version of hotrow reads {FORMAT_VERSION}; "
            "prepare the data set again",
        )
    for field in ("schema", "splits"):
        if not isinstance(content.get(field), dict):
            raise DataError(file, f"field {field}: expected an object; prepare the data set again")
    return content


def _shards(folder: Path, file: Path, content: Mapping[str, Any], split: str) -> list[_Shard]:
    try:
        return [
            _Shard(file=folder / entry["file"], rows=int(entry["rows"]), sha256=entry.get("sha256"))
            for entry in content["splits"][split]["shards"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            file,
            f"field splits.{split}.shards: expected a list of {{file, rows}}; prepare the data set again",
        ) from error
