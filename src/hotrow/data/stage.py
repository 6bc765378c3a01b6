"""Accepted rows on disk, column by column, between reading a log and encoding it.

Splits and vocabularies are known only when the whole log has been read, so its rows wait here: the
dense matrix as it will be written, the label, and each categorical feature's keys. Plain files read
with ``numpy.fromfile``: never mapped, because mapped pages count as resident memory.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hotrow.data.raw import MISSING_KEY
from hotrow.data.schema import KeyType
from hotrow.errors import InternalError

_BUFFER_BYTES = 1 << 18  # of each file being written: fewer, larger writes
_KEY_TYPES: dict[KeyType, np.dtype[Any]] = {
    "hex32": np.dtype(np.uint32),
    "integer": np.dtype(np.uint64),
    "text": np.dtype(np.uint64),
}


@dataclass(frozen=True, slots=True)
class StageBlock:
    """Rows ready to be staged.

    Attributes:
        dense: (B, N) float32, transformed.
        labels: (B,) uint8.
        keys: (F, B) in the narrow type of the format's keys.
        missing: (F, B) bool.
    """

    dense: NDArray[np.float32]
    labels: NDArray[np.uint8]
    keys: NDArray[Any]
    missing: NDArray[np.bool_]


def narrow_keys(keys: NDArray[np.uint64], key_type: KeyType) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return keys in as few bytes as their type needs, and where they are missing."""
    return keys.astype(_KEY_TYPES[key_type]), keys == MISSING_KEY


class StageWriter:
    """Appends rows to a stage.

    Args:
        folder: an existing folder for the stage's files.
        num_categorical: F.
    """

    def __init__(self, folder: Path, num_categorical: int) -> None:
        self._folder = folder
        self._num_categorical = num_categorical
        self._files = ExitStack()
        self._missing_rest = np.empty((num_categorical, 0), dtype=np.bool_)
        self.rows = 0

    def __enter__(self) -> StageWriter:
        self._dense, self._labels = self._open("dense"), self._open("labels")
        self._keys = [self._open(f"keys{feature}") for feature in range(self._num_categorical)]
        self._missing = [self._open(f"missing{feature}") for feature in range(self._num_categorical)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._files:
            if kind is None and self._missing_rest.shape[1]:
                self._write_missing(self._missing_rest)

    def append(self, block: StageBlock) -> None:
        """Write one block; the bits of an unfinished byte wait for the next."""
        self._dense.write(block.dense.data)
        self._labels.write(block.labels.data)
        for stream, keys in zip(self._keys, block.keys, strict=True):
            stream.write(keys.data)
        missing = np.concatenate((self._missing_rest, block.missing), axis=1)
        whole = missing.shape[1] // 8 * 8
        self._write_missing(missing[:, :whole])
        self._missing_rest = missing[:, whole:]
        self.rows += len(block.labels)

    def _write_missing(self, missing: NDArray[np.bool_]) -> None:
        for stream, bits in zip(self._missing, np.packbits(missing, axis=1), strict=True):
            stream.write(bits.data)

    def _open(self, name: str) -> BinaryIO:
        return self._files.enter_context((self._folder / name).open("wb", buffering=_BUFFER_BYTES))


class Stage:
    """Reads a finished stage, and turns keys into ids feature by feature.

    Args:
        folder: where a ``StageWriter`` wrote.
        rows: accepted rows in it.
        num_dense: N.
        num_categorical: F.
        key_type: type of the keys.
    """

    def __init__(
        self, folder: Path, *, rows: int, num_dense: int, num_categorical: int, key_type: KeyType
    ) -> None:
        self._folder = folder
        self.num_categorical = num_categorical
        self._num_dense = num_dense
        self._key_dtype = _KEY_TYPES[key_type]
        self.rows = rows

    def dense(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the dense rows ``start..stop``, (B, N)."""
        width = self._num_dense
        flat = self._read("dense", np.dtype(np.float32), start * width, stop * width)
        return flat.reshape(stop - start, width)

    def labels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the labels of rows ``start..stop``."""
        return self._read("labels", np.dtype(np.uint8), start, stop)

    def present_keys(self, feature: int, start: int, stop: int) -> NDArray[Any]:
        """Return a feature's keys of rows ``start..stop`` without the missing ones, in their narrow type."""
        keys = self._read(f"keys{feature}", self._key_dtype, start, stop)
        return keys[~self._missing(feature, start, stop)]

    def keys(self, feature: int, start: int, stop: int) -> NDArray[np.uint64]:
        """Return a feature's keys of rows ``start..stop``, ``MISSING_KEY`` where missing."""
        keys = self._read(f"keys{feature}", self._key_dtype, start, stop).astype(np.uint64)
        np.copyto(keys, MISSING_KEY, where=self._missing(feature, start, stop))
        return keys

    def ids(self, feature: int, start: int, stop: int) -> NDArray[np.int32]:
        """Return a feature's ids of rows ``start..stop``, once they were written."""
        return self._read(f"ids{feature}", np.dtype(np.int32), start, stop)

    def ids_writer(self, feature: int) -> BinaryIO:
        """Open the file that takes a feature's ids, in row order, as int32."""
        return (self._folder / f"ids{feature}").open("wb")

    def drop_keys(self, feature: int) -> None:
        """Remove a feature's keys, when its ids are written."""
        (self._folder / f"keys{feature}").unlink()
        (self._folder / f"missing{feature}").unlink()

    def remove(self) -> None:
        """Remove all files of the stage."""
        shutil.rmtree(self._folder)

    def _missing(self, feature: int, start: int, stop: int) -> NDArray[np.bool_]:
        skipped = start % 8
        bits = self._read(f"missing{feature}", np.dtype(np.uint8), start // 8, -(-stop // 8))
        return np.unpackbits(bits, count=skipped + stop - start)[skipped:].view(np.bool_)

    def _read(self, name: str, dtype: np.dtype[Any], start: int, stop: int) -> NDArray[Any]:
        found = np.fromfile(
            self._folder / name, dtype=dtype, count=stop - start, offset=start * dtype.itemsize
        )
        if len(found) != stop - start:
            raise InternalError(
                f"{self._folder / name}: {len(found)} values at {start}, expected {stop - start}"
            )
        return found
