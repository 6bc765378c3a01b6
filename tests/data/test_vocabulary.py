from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hotrow.data.vocabulary import Vocabulary
from hotrow.errors import DataError, MissingFileError


def vocabulary(size: int = 5) -> Vocabulary:
    keys = np.arange(size, dtype=np.uint64) * np.uint64(2**60 + 7)
    return Vocabulary(keys, np.arange(size, 0, -1, dtype=np.int64))


@pytest.mark.parametrize("size", [0, 1, 5])
def test_save_and_load(tmp_path: Path, size: int) -> None:
    written = vocabulary(size)
    written.save(tmp_path / "C1.arrow")
    read = Vocabulary.load(tmp_path / "C1.arrow")
    assert [str(array.dtype) for array in (read.keys, read.counts)] == ["uint64", "int64"]
    assert np.array_equal(read.keys, written.keys)
    assert np.array_equal(read.counts, written.counts)
    assert read.rows == size + 2


def test_a_missing_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"C1\.arrow"):
        Vocabulary.load(tmp_path / "C1.arrow")


@pytest.mark.parametrize("kept", [0, 7, 100, 300])
def test_a_vocabulary_cut_short(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "C1.arrow"
    vocabulary().save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"C1\.arrow: is no readable vocabulary"):
        Vocabulary.load(path)


@pytest.mark.parametrize(
    "columns",
    [
        {"key": pa.array([1], pa.int64()), "count": pa.array([1], pa.int64())},
        {"key": pa.array([None], pa.uint64()), "count": pa.array([1], pa.int64())},
        {"id": pa.array([1], pa.uint64())},
    ],
    ids=["signed", "null", "columns"],
)
def test_other_columns_are_refused(tmp_path: Path, columns: dict[str, pa.Array]) -> None:
    path = tmp_path / "C1.arrow"
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match=r"C1\.arrow: .*expected key uint64 and count int64"):
        Vocabulary.load(path)
