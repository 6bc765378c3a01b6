"""The kept ids of one categorical feature, as a file: Arrow IPC with columns key and count."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hotrow.data.schema import RESERVED_IDS
from hotrow.errors import DataError, MissingFileError

VOCABULARY_FOLDER = "vocab"
_SCHEMA = pa.schema([("key", pa.uint64()), ("count", pa.int64())])


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Kept ids by decreasing count, then key; the row id of a key is its position + 2.

    Attributes:
        keys: (K,) uint64, all different.
        counts: (K,) int64, how often each occurred in the training split.
    """

    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """E, the rows of the feature's table."""
        return len(self.keys) + RESERVED_IDS

    def digest(self) -> str:
        """Return a short digest that two vocabularies share only when every row means the same id."""
        return hashlib.sha256(self.keys.astype("<u8").tobytes()).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Write the vocabulary."""
        batch = pa.record_batch([pa.array(self.keys), pa.array(self.counts)], schema=_SCHEMA)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
            writer.write_batch(batch)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read a vocabulary.

        Raises:
            MissingFileError: there is no such file.
            DataError: it is no vocabulary, or is cut short.
        """
        try:
            with pa.OSFile(str(path), "rb") as source, pa.ipc.open_file(source) as reader:
                table = reader.read_all()
            table.validate(full=True)  # Arrow does not check by itself that buffers are as long as they say
        except FileNotFoundError as error:
            raise MissingFileError(path, "a vocabulary") from error
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise DataError(path, f"is no readable vocabulary ({' '.join(str(error).split())})") from error
        if table.schema != _SCHEMA or table["key"].null_count or table["count"].null_count:
            raise DataError(path, f"has columns {table.schema.names}, expected key uint64 and count int64")
        return cls(table["key"].to_numpy(), table["count"].to_numpy())


def vocabulary_path(folder: Path, feature: str) -> Path:
    """Return where a feature's vocabulary is, given the folder of all of them."""
    return folder / f"{feature}.arrow"
