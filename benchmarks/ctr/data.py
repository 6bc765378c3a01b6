"""MovieLens-1M, prepared once for both libraries."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._data import data_folder
from benchmarks.ctr.columns import read_split
from benchmarks.ctr.fuxi import write_splits
from hotrow.data.dataset import SPLITS, Dataset
from hotrow.data.prepare import prepare

SOURCES = ("interactions_like.csv", "users.dat", "movies.dat")


@contextmanager
def prepared() -> Iterator[tuple[Path, Dataset]]:
    """Yield a folder with the splits as FuxiCTR reads them, and the data set, which is in ``data`` there."""
    sources = [data_folder("ml-1m") / name for name in SOURCES]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare("movielens", sources, folder / "data", settings={"split": "random"})
        dataset = Dataset.open(folder / "data")
        write_splits(folder, {split: read_split(dataset, split) for split in SPLITS})
        yield folder, dataset
