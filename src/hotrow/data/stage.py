"""Accepted rows on disk, column by column, between reading a log and encoding it.

Splits and vocabularies are known only when the whole log has been read, so its rows wait here: the
dense matrix as it will be written, the labels, each categorical feature's keys, each list feature's keys with
where each row's list ends. Plain files read with ``numpy.fromfile``: never mapped, because mapped pages
count as resident memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from hotrow.data._slices import flat_indices
from hotrow.data.raw import MISSING_KEY
from hotrow.data.schema import KeyType, Schema
from hotrow.errors import InternalError

_BUFFER_BYTES = 1 << 18  # of each file being written: fewer, larger writes
_KEY_TYPES: dict[KeyType, np.dtype[Any]] = {
    "hex32": np.dtype(np.uint32),
    "integer": np.dtype(np.uint64),
    "text": np.dtype(np.uint64),
}


@dataclass(frozen=True, slots=True)
class StageList:
    """One list feature of rows ready to be staged, one list after another.

    Attributes:
        keys: (V,) uint64.
        lengths: (B,) int64, which add up to V.
        weights: (V,) float32, or None.
    """

    keys: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None

    def take(self, rows: NDArray[np.bool_]) -> StageList:
        """Return the lists of some rows."""
        lengths = self.lengths[rows]
        kept = flat_indices((np.cumsum(self.lengths) - self.lengths)[rows], lengths)
        return StageList(self.keys[kept], lengths, None if self.weights is None else self.weights[kept])


@dataclass(frozen=True, slots=True)
class StageBlock:
    """Rows ready to be staged.

    Attributes:
        dense: (B, N) float32, transformed.
        labels: (B,) uint8, (B, K) of K > 1 labels.
        keys: of each of F features (B,), in the narrow type of its keys.
        missing: (F, B) bool.
        lists: the M list features.
        groups: (B,) int64, or None.
        order: (B,) uint64, what rows are split by, or None.
    """

    dense: NDArray[np.float32]
    labels: NDArray[np.uint8]
    keys: tuple[NDArray[Any], ...]
    missing: NDArray[np.bool_]
    lists: tuple[StageList, ...] = ()
    groups: NDArray[np.int64] | None = None
    order: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.bool_]) -> StageBlock:
        """Return some of the rows, without their order."""
        return StageBlock(
            self.dense[rows],
            self.labels[rows],
            tuple(keys[rows] for keys in self.keys),
            self.missing[:, rows],
            tuple(listed.take(rows) for listed in self.lists),
            None if self.groups is None else self.groups[rows],
        )


def narrow_keys(
    keys: NDArray[np.uint64], key_types: Sequence[KeyType]
) -> tuple[tuple[NDArray[Any], ...], NDArray[np.bool_]]:
    """Return each feature's keys in as few bytes as their type needs, and where they are missing."""
    narrow = (column.astype(_KEY_TYPES[kind]) for column, kind in zip(keys, key_types, strict=True))
    return tuple(narrow), keys == MISSING_KEY


@dataclass(frozen=True, kw_only=True)
class StageState:
    """How far a ``StageWriter`` is.

    Attributes:
        rows: that were appended.
        listed: ids of each list feature.
        missing: of each categorical feature the bits that do not fill a byte yet, as ``"0"`` and ``"1"``.
        sizes: bytes of each file.
    """

    rows: int
    listed: tuple[int, ...]
    missing: tuple[str, ...]
    sizes: dict[str, int]


class StageWriter:
    """Appends rows to a stage.

    Args:
        folder: an existing folder for the stage's files.
        schema: which columns rows have.
        ordered: whether rows carry what they are split by.
        state: what ``state`` returned, to go on from there.
    """

    def __init__(
        self, folder: Path, schema: Schema, *, ordered: bool = False, state: StageState | None = None
    ) -> None:
        self._folder = folder
        self._schema = schema
        self._ordered = ordered
        self._files = ExitStack()
        self._streams: dict[str, BinaryIO] = {}
        self._sizes = None if state is None else state.sizes
        rest = ("",) * len(schema.categorical) if state is None else state.missing
        self._missing_rest = np.array([[bit == "1" for bit in bits] for bits in rest], dtype=np.bool_)
        self._missing_rest = self._missing_rest.reshape(len(schema.categorical), -1 if any(rest) else 0)
        self._listed = [0] * len(schema.lists) if state is None else [*state.listed]
        self.rows = 0 if state is None else state.rows

    def __enter__(self) -> StageWriter:
        names = ["dense", "labels"]
        names += [
            f"{kind}{at}" for at in range(len(self._schema.categorical)) for kind in ("keys", "missing")
        ]
        for at, feature in enumerate(self._schema.lists):
            names += [f"list{at}", f"ends{at}", *([f"weights{at}"] if feature.weighted else [])]
        names += ["groups"] if self._schema.group else []
        names += ["order"] if self._ordered else []
        for name in names:
            mode = "wb" if self._sizes is None else "r+b"
            stream = cast(BinaryIO, (self._folder / name).open(mode, buffering=_BUFFER_BYTES))
            self._streams[name] = self._files.enter_context(stream)
            if self._sizes is not None:
                stream.truncate(self._sizes[name])
                stream.seek(self._sizes[name])
        return self

    def state(self) -> StageState:
        """Write out what was appended, and return what is needed to go on after it."""
        for stream in self._streams.values():
            stream.flush()
        return StageState(
            rows=self.rows,
            listed=tuple(self._listed),
            missing=tuple("".join("01"[bit] for bit in bits.tolist()) for bits in self._missing_rest),
            sizes={name: stream.tell() for name, stream in self._streams.items()},
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._files:
            if kind is None and self._missing_rest.shape[1]:
                self._write_missing(self._missing_rest)

    def append(self, block: StageBlock) -> None:
        """Write one block; the bits of an unfinished byte wait for the next."""
        columns: dict[str, NDArray[Any] | None] = {"dense": block.dense, "labels": block.labels}
        columns |= {f"keys{at}": keys for at, keys in enumerate(block.keys)}
        for at, listed in enumerate(block.lists):
            ends = np.cumsum(listed.lengths, dtype=np.int64) + self._listed[at]
            self._listed[at] += len(listed.keys)
            columns |= {f"list{at}": listed.keys, f"ends{at}": ends, f"weights{at}": listed.weights}
        columns |= {"groups": block.groups, "order": block.order}
        for name, values in columns.items():
            if name in self._streams:
                assert values is not None
                self._streams[name].write(values.data)
        missing = np.concatenate((self._missing_rest, block.missing), axis=1)
        whole = missing.shape[1] // 8 * 8
        self._write_missing(missing[:, :whole])
        self._missing_rest = missing[:, whole:]
        self.rows += len(block)

    def _write_missing(self, missing: NDArray[np.bool_]) -> None:
        for at, column in enumerate(missing):
            bits = np.packbits(column)
            self._streams[f"missing{at}"].write(bits.data)


class Stage:
    """Reads a finished stage, and turns keys into ids feature by feature.

    Args:
        folder: where a ``StageWriter`` wrote.
        schema: which columns rows have.
        rows: accepted rows in it.
    """

    def __init__(self, folder: Path, schema: Schema, *, rows: int) -> None:
        self.folder = folder
        self.schema = schema
        self.rows = rows

    def dense(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the dense rows ``start..stop``, (B, N)."""
        return self._matrix("dense", np.dtype(np.float32), len(self.schema.dense), start, stop)

    def labels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the labels of rows ``start..stop``, (B,), (B, K) of K > 1 labels."""
        tasks = len(self.schema.labels)
        labels = self._matrix("labels", np.dtype(np.uint8), tasks, start, stop)
        return labels[:, 0] if tasks == 1 else labels

    def groups(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the groups of rows ``start..stop``."""
        return self._read("groups", np.dtype(np.int64), start, stop)

    def order(self, start: int, stop: int) -> NDArray[np.uint64]:
        """Return what rows ``start..stop`` are split by."""
        return self._read("order", np.dtype(np.uint64), start, stop)

    def present_keys(self, feature: int, start: int, stop: int) -> NDArray[Any]:
        """Return a feature's keys of rows ``start..stop`` without the missing ones, in their narrow type."""
        return self._narrow(feature, start, stop)[~self._missing(feature, start, stop)]

    def keys(self, feature: int, start: int, stop: int) -> NDArray[np.uint64]:
        """Return a feature's keys of rows ``start..stop``, ``MISSING_KEY`` where missing."""
        keys = self._narrow(feature, start, stop).astype(np.uint64)
        np.copyto(keys, MISSING_KEY, where=self._missing(feature, start, stop))
        return keys

    def ids(self, feature: int, start: int, stop: int) -> NDArray[np.int32]:
        """Return a feature's ids of rows ``start..stop``, once they were written."""
        return self._read(f"ids{feature}", np.dtype(np.int32), start, stop)

    def lengths(self, feature: int, start: int, stop: int) -> NDArray[np.int64]:
        """Return how long the lists of rows ``start..stop`` are."""
        ends = self._read(f"ends{feature}", np.dtype(np.int64), max(start - 1, 0), stop)
        return np.diff(ends) if start else np.diff(ends, prepend=0)

    def listed(self, feature: int, start: int, stop: int) -> range:
        """Return where the lists of rows ``start..stop`` are among all keys of a list feature."""
        first, last = (
            int(self._read(f"ends{feature}", np.dtype(np.int64), row - 1, row)[0]) if row else 0
            for row in (start, stop)
        )
        return range(first, last)

    def list_keys(self, feature: int, first: int, last: int) -> NDArray[np.uint64]:
        """Return keys of a list feature by their place among all, of ``listed``."""
        return self._read(f"list{feature}", np.dtype(np.uint64), first, last)

    def list_ids(self, feature: int, first: int, last: int) -> NDArray[np.int32]:
        """Return ids of a list feature by their place, once they were written."""
        return self._read(f"listids{feature}", np.dtype(np.int32), first, last)

    def list_weights(self, feature: int, first: int, last: int) -> NDArray[np.float32] | None:
        """Return weights of a list feature by their place, None if it has none."""
        if not self.schema.lists[feature].weighted:
            return None
        return self._read(f"weights{feature}", np.dtype(np.float32), first, last)

    def block(self, start: int, stop: int) -> StageBlock:
        """Return rows ``start..stop`` as they were appended, but for their order; before there are ids."""
        features = range(len(self.schema.categorical))
        missing = [self._missing(feature, start, stop) for feature in features]
        return StageBlock(
            dense=self.dense(start, stop),
            labels=self.labels(start, stop),
            keys=tuple(self._narrow(feature, start, stop) for feature in features),
            missing=np.stack(missing) if missing else np.empty((0, stop - start), dtype=np.bool_),
            lists=tuple(self._list(feature, start, stop) for feature in range(len(self.schema.lists))),
            groups=self.groups(start, stop) if self.schema.group else None,
        )

    def ids_writer(self, feature: int) -> BinaryIO:
        """Open the file that takes a feature's ids, in row order, as int32."""
        return (self.folder / f"ids{feature}").open("wb")

    def list_ids_writer(self, feature: int) -> BinaryIO:
        """Open the file that takes a list feature's ids, in the order of its keys, as int32."""
        return (self.folder / f"listids{feature}").open("wb")

    def drop_keys(self, feature: int) -> None:
        """Remove a feature's keys, when its ids are written."""
        (self.folder / f"keys{feature}").unlink(missing_ok=True)
        (self.folder / f"missing{feature}").unlink(missing_ok=True)

    def drop_list_keys(self, feature: int) -> None:
        """Remove a list feature's keys, when its ids are written."""
        (self.folder / f"list{feature}").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all files of the stage."""
        shutil.rmtree(self.folder)

    def _list(self, feature: int, start: int, stop: int) -> StageList:
        place = self.listed(feature, start, stop)
        return StageList(
            self.list_keys(feature, place.start, place.stop),
            self.lengths(feature, start, stop),
            self.list_weights(feature, place.start, place.stop),
        )

    def _narrow(self, feature: int, start: int, stop: int) -> NDArray[Any]:
        dtype = _KEY_TYPES[self.schema.categorical[feature].key_type]
        return self._read(f"keys{feature}", dtype, start, stop)

    def _missing(self, feature: int, start: int, stop: int) -> NDArray[np.bool_]:
        skipped = start % 8
        bits = self._read(f"missing{feature}", np.dtype(np.uint8), start // 8, -(-stop // 8))
        return np.unpackbits(bits, count=skipped + stop - start)[skipped:].view(np.bool_)

    def _matrix(self, name: str, dtype: np.dtype[Any], width: int, start: int, stop: int) -> NDArray[Any]:
        return self._read(name, dtype, start * width, stop * width).reshape(stop - start, width)

    def _read(self, name: str, dtype: np.dtype[Any], start: int, stop: int) -> NDArray[Any]:
        found = np.fromfile(
            self.folder / name, dtype=dtype, count=stop - start, offset=start * dtype.itemsize
        )
        if len(found) != stop - start:
            raise InternalError(
                f"{self.folder / name}: {len(found)} values at {start}, expected {stop - start}"
            )
        return found
