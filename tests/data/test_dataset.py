from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hotrow.data.dataset import Dataset, fixed_columns
from hotrow.errors import ConfigError, DataError, MissingFileError, UserError

WriteDataset = Callable[..., Path]


def test_rows_are_mapped_and_read_only(tmp_path: Path, write_dataset: WriteDataset) -> None:
    dataset = Dataset.open(write_dataset(tmp_path / "d"))
    assert [dataset.rows(split) for split in ("train", "valid", "test")] == [800, 150, 150]
    first, second = dataset.shards("train")
    assert (first.dense.shape, first.ids.shape) == ((500, 3), (500, 4))
    assert second.labels is not None
    assert set(np.unique(second.labels)) == {0.0, 1.0}
    for view in (first.dense, first.ids, first.labels):
        assert view is not None
        assert not view.flags.writeable
        assert not view.flags.owndata


def test_views_outlive_the_data_set(tmp_path: Path, write_dataset: WriteDataset) -> None:
    path = write_dataset(tmp_path / "d")
    ids = Dataset.open(path).shards("train")[0].ids
    assert int(ids.max()) < 60
    assert np.array_equal(ids, Dataset.open(path).shards("train")[0].ids)


def test_a_data_set_from_before_there_were_lists(tmp_path: Path, write_dataset: WriteDataset) -> None:
    path = write_dataset(tmp_path / "d")
    expected = Dataset.open(path)
    content = json.loads((path / "schema.json").read_text())
    for field in ("lists", "more_labels", "group"):
        del content["schema"][field]
    (path / "schema.json").write_text(json.dumps(content))
    for split in ("train", "valid", "test"):
        for file in (path / split).iterdir():
            rewrite_plainly(file)
    found = Dataset.open(path)
    assert found.schema == expected.schema
    for mine, theirs in zip(found.shards("train"), expected.shards("train"), strict=True):
        assert all(map(np.array_equal, fixed_columns(mine), fixed_columns(theirs)))
        assert (mine.lists, mine.groups) == ((), None)


def rewrite_plainly(file: Path) -> None:
    """Write a shard with the columns that there were then."""
    table = pa.ipc.open_file(file).read_all()
    columns = {"label": table["label"].to_numpy()}
    for name in ("dense", "ids"):
        flat = table[name].combine_chunks().flatten()
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, table[name].type.list_size)
    batch = pa.record_batch(columns)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="hotrow prepare"):
        Dataset.open(tmp_path)
    with pytest.raises(MissingFileError, match="hotrow prepare"):
        Dataset.open(tmp_path / "none")


def test_an_unknown_split(tmp_path: Path, write_dataset: WriteDataset) -> None:
    with pytest.raises(ConfigError, match="train or valid or test"):
        Dataset.open(write_dataset(tmp_path / "d")).rows("dev")


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -1], ids=str)
def test_a_shard_cut_short_is_named(tmp_path: Path, write_dataset: WriteDataset, kept: float) -> None:
    path = write_dataset(tmp_path / "d")
    shard = path / "train" / "00001.arrow"
    content = shard.read_bytes()
    size = int(kept * len(content)) if isinstance(kept, float) else kept
    shard.write_bytes(content[:size])
    with pytest.raises(DataError, match=r"00001\.arrow.*prepare the data set again"):
        Dataset.open(path)


def test_a_missing_shard_is_named(tmp_path: Path, write_dataset: WriteDataset) -> None:
    path = write_dataset(tmp_path / "d")
    (path / "test" / "00000.arrow").unlink()
    with pytest.raises(DataError, match=r"test/00000\.arrow: missing"):
        Dataset.open(path)


def test_a_shard_of_another_length_or_shape_is_refused(tmp_path: Path, write_dataset: WriteDataset) -> None:
    path = write_dataset(tmp_path / "d")
    one, other = path / "train" / "00000.arrow", path / "train" / "00001.arrow"
    other.write_bytes(one.read_bytes())
    with pytest.raises(DataError, match=r"00001\.arrow: 500 rows, expected 300"):
        Dataset.open(path)


def test_a_column_that_does_not_fit_the_schema(tmp_path: Path, write_dataset: WriteDataset) -> None:
    path = write_dataset(tmp_path / "d")
    content = json.loads((path / "schema.json").read_text())
    content["schema"]["dense"].pop()
    (path / "schema.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"column dense: fixed_size_list.*\[3\].*expected.*\[2\]"):
        Dataset.open(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "format_version"),
        ('{"format_version": 99}', "format_version 99, this version of hotrow reads 1"),
        ('{"format_version": 1}', "field schema"),
    ],
)
def test_a_schema_file_that_cannot_be_used(
    tmp_path: Path, write_dataset: WriteDataset, text: str, message: str
) -> None:
    path = write_dataset(tmp_path / "d")
    (path / "schema.json").write_text(text)
    with pytest.raises(DataError, match=message):
        Dataset.open(path)


@pytest.mark.parametrize("shards", [None, 3, [{}], [{"file": "a", "rows": "many"}]], ids=str)
def test_a_list_of_shards_that_cannot_be_used(
    tmp_path: Path, write_dataset: WriteDataset, shards: object
) -> None:
    path = write_dataset(tmp_path / "d")
    content = json.loads((path / "schema.json").read_text())
    content["splits"]["valid"]["shards"] = shards
    (path / "schema.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"splits\.valid\.shards"):
        Dataset.open(path)


def test_the_fingerprint_tells_data_sets_apart(tmp_path: Path, write_dataset: WriteDataset) -> None:
    same = [Dataset.open(write_dataset(tmp_path / name)).fingerprint() for name in "ab"]
    assert same[0] == same[1]
    other = write_dataset(tmp_path / "c", splits={"train": (800,), "valid": (150,), "test": (150,)})
    assert Dataset.open(other).fingerprint() != same[0]


def test_a_column_that_is_not_there(tmp_path: Path, write_dataset: WriteDataset) -> None:
    path = write_dataset(tmp_path / "d")
    table = pa.ipc.open_file(path / "valid" / "00000.arrow").read_all()
    with pa.OSFile(str(path / "valid" / "00000.arrow"), "wb") as sink:
        columns = table.rename_columns(["label", "dense", "id"])
        with pa.ipc.new_file(sink, columns.schema) as writer:
            writer.write_table(columns)
    with pytest.raises(DataError, match="column ids: no such column, expected fixed_size_list"):
        Dataset.open(path)
