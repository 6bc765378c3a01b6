from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.lists import values_of

from hotrow.data.assemble import RawSplits, assemble
from hotrow.data.dataset import SPLITS, Dataset
from hotrow.data.manifest import SourceInfo
from hotrow.data.raw import MISSING_KEY, RawBlock, RawList
from hotrow.data.rejections import Rejection
from hotrow.data.schema import (
    MISSING_ID,
    RESERVED_IDS,
    UNSEEN_ID,
    CategoricalFeature,
    DenseFeature,
    ListFeature,
    Schema,
)
from hotrow.data.shards import write_shard
from hotrow.data.vocabulary import Vocabulary, vocabulary_path
from hotrow.errors import DataError, OutputExistsError, StorageError

SCHEMA = Schema(
    format="movielens",
    label="like",
    dense=(DenseFeature(name="age"),),
    categorical=(
        CategoricalFeature(name="user", rows=RESERVED_IDS, key_type="integer"),
        CategoricalFeature(name="item", rows=RESERVED_IDS, key_type="integer", min_count=2),
    ),
    lists=(
        ListFeature(name="history", kind="sequence", rows=RESERVED_IDS, of="item", min_count=2, max_length=3),
        ListFeature(name="genres", kind="bag", rows=RESERVED_IDS, weighted=True),
        ListFeature(name="words", kind="bag", rows=7, encoding="hash", key_type="text"),
    ),
    more_labels=("buy",),
    group="user",
)
SOURCES = (SourceInfo(file="ratings.dat", rows=9, rejected=1),)


@st.composite
def raw_lists(draw: st.DrawFn, rows: int, *, weighted: bool = False) -> RawList:
    """Draw slices of few different keys."""
    keys = draw(st.lists(st.integers(10, 16), max_size=9))
    starts = draw(st.lists(st.integers(0, len(keys)), min_size=rows, max_size=rows))
    lengths = [draw(st.integers(0, len(keys) - start)) for start in starts]
    return RawList(
        np.array(keys, dtype=np.uint64),
        np.array(starts, dtype=np.int64),
        np.array(lengths, dtype=np.int64),
        np.arange(len(keys), dtype=np.float32) if weighted else None,
    )


@st.composite
def raw_blocks(draw: st.DrawFn, *, least: int = 0) -> RawBlock:
    rows = draw(st.integers(least, 7))
    keys = st.lists(st.sampled_from([10, 11, 12, 13, int(MISSING_KEY)]), min_size=rows, max_size=rows)
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    return RawBlock(
        dense=np.arange(rows, dtype=np.float64)[:, None],
        keys=np.array([draw(keys), draw(keys)], dtype=np.uint64),
        labels=rng.integers(0, 2, (rows, 2)).astype(np.float32),
        lists=(draw(raw_lists(rows)), draw(raw_lists(rows, weighted=True)), draw(raw_lists(rows))),
        groups=rng.integers(0, 2**40, rows),
    )


@st.composite
def raw_splits(draw: st.DrawFn) -> RawSplits:
    splits = {
        "train": draw(raw_blocks(least=1)),
        "valid": draw(raw_blocks()),
        "test": draw(raw_blocks()),
    }
    return RawSplits(schema=SCHEMA, splits=splits, sources=SOURCES)


def spans(rows: RawList, max_length: int) -> list[list[int]]:
    """Return the positions that each row holds after the cut."""
    ends = (rows.starts + rows.lengths).tolist()
    starts = rows.starts.tolist()
    return [list(range(max(start, end - max_length), end)) for start, end in zip(starts, ends, strict=True)]


def expected_vocabularies(train: RawBlock) -> dict[str, list[int]]:
    """Return the kept keys, as the definition reads: a key of lists counts once wherever it is stored."""
    stored = [
        Counter(rows.keys[sorted({at for span in spans(rows, longest) for at in span})].tolist())
        for rows, longest in zip(train.lists, (3, 250, 250), strict=True)
    ]
    user, item = (Counter(column[column != MISSING_KEY].tolist()) for column in train.keys)
    counts = {"user": (user, 1), "item": (item + stored[0], 2), "genres": (stored[1], 1)}
    return {
        name: sorted((key for key in count if count[key] >= least), key=lambda key: (-count[key], key))
        for name, (count, least) in counts.items()
    }


def ids_of(keys: list[int], vocabulary: list[int]) -> list[int]:
    ids = {key: at + RESERVED_IDS for at, key in enumerate(vocabulary)} | {int(MISSING_KEY): MISSING_ID}
    return [ids.get(key, UNSEEN_ID) for key in keys]


@settings(deadline=None, max_examples=50)  # it flushes files
@given(raw=raw_splits(), shard_rows=st.sampled_from([1, 2, 5, 100]))
def test_a_data_set_holds_what_its_definition_says(
    tmp_path_factory: pytest.TempPathFactory, raw: RawSplits, shard_rows: int
) -> None:
    out = tmp_path_factory.mktemp("assembled") / "out"
    report = assemble(raw, out, shard_rows=shard_rows)
    dataset = Dataset.open(out)
    vocabularies = expected_vocabularies(raw.splits["train"])
    for name, keys in vocabularies.items():
        assert Vocabulary.load(vocabulary_path(dataset.vocab_folder, name)).keys.tolist() == keys
    assert sorted(file.stem for file in dataset.vocab_folder.iterdir()) == ["genres", "item", "user"]
    assert report.splits == {name: len(raw.splits[name]) for name in SPLITS}
    for name in SPLITS:
        assert dataset.rows(name) == len(raw.splits[name])
        done = 0
        for shard in dataset.shards(name):
            rows = len(shard.dense)
            assert 0 < rows <= shard_rows
            check_shard(shard, raw.splits[name].take(slice(done, done + rows)), vocabularies)
            done += rows


def check_shard(shard: Any, raw: RawBlock, vocabularies: dict[str, list[int]]) -> None:
    assert raw.labels is not None
    assert raw.groups is not None
    assert np.array_equal(shard.labels, raw.labels)
    assert np.array_equal(shard.groups, raw.groups)
    for column, name in enumerate(("user", "item")):
        assert shard.ids[:, column].tolist() == ids_of(raw.keys[column].tolist(), vocabularies[name])
    history, genres, words = shard.lists
    for found, rows, name, longest in (
        (history, raw.lists[0], "item", 3),
        (genres, raw.lists[1], "genres", 250),
    ):
        weights = np.ones(len(rows.keys)) if rows.weights is None else rows.weights
        expected = [
            list(zip(ids_of(rows.keys[span].tolist(), vocabularies[name]), weights[span], strict=True))
            for span in spans(rows, longest)
        ]
        assert values_of(found) == expected
        assert len(found.ids) == len({at for span in spans(rows, longest) for at in span})
    assert words.lengths.tolist() == raw.lists[2].lengths.tolist()
    assert ((words.ids >= RESERVED_IDS) & (words.ids < 7)).all()


def some_splits(rows: int = 8) -> RawSplits:
    """Return rows of two users; each row's history is the user's items before it."""
    items = np.arange(rows, dtype=np.uint64) // 2 + 10
    starts = np.zeros(rows, dtype=np.int64)
    history = RawList(items, starts, np.arange(rows))
    genres = RawList(items[:1], starts, np.minimum(np.arange(rows), 1), np.ones(1, np.float32))
    block = RawBlock(
        np.ones((rows, 1)),
        np.stack((np.arange(rows, dtype=np.uint64) % 2, items)),
        np.ones((rows, 2), np.float32),
        (history, genres, history),
        np.arange(rows, dtype=np.int64) % 2,
    )
    splits = {
        "train": block.take(slice(6)),
        "valid": block.take(slice(6, 7)),
        "test": block.take(slice(7, 8)),
    }
    return RawSplits(schema=SCHEMA, splits=splits, sources=SOURCES)


def test_the_schema_is_completed(tmp_path: Path) -> None:
    raw = some_splits()
    assemble(raw, tmp_path / "out", options={"task": "like"})
    schema = Dataset.open(tmp_path / "out").schema
    user, item = schema.categorical
    history, genres, words = schema.lists
    # Items 10, 11 and 12 twice as targets; 10, 11 twice and 12 once as the training rows' histories.
    assert (user.rows, item.rows, genres.rows, words.rows) == (4, 5, 3, 7)
    assert Vocabulary.load(tmp_path / "out" / "vocab" / "item.arrow").counts.tolist() == [4, 4, 3]
    assert (history.rows, history.vocabulary, history.min_count) == (item.rows, item.vocabulary, 2)
    assert history.mean_length == pytest.approx((0 + 1 + 2 + 3 + 3 + 3) / 6)
    assert words.mean_length == pytest.approx((0 + 1 + 2 + 3 + 4 + 5) / 6)
    assert schema.inputs().lists[0].length == 2
    content = json.loads((tmp_path / "out" / "schema.json").read_text())
    assert content["options"] == {"task": "like"}
    assert content["sources"] == [{"file": "ratings.dat", "rows": 9, "rejected": 1}]
    assert content["splits"]["train"]["positives"] == 6


def test_the_report_tells_of_every_feature(tmp_path: Path) -> None:
    report = assemble(some_splits(), tmp_path / "out")
    assert (report.rows, report.splits) == (8, {"train": 6, "valid": 1, "test": 1})
    features = {feature.name: feature for feature in report.features}
    assert list(features) == ["age", "user", "item", "history", "genres", "words"]
    assert [feature.kind for feature in report.features[3:]] == ["sequence", "bag", "bag"]
    # Item 13 is of validation and test only: two targets, once in the last row's history.
    assert features["item"].unseen_share == pytest.approx(2 / 8)
    assert features["history"].unseen_share == pytest.approx(1 / 18)
    assert features["history"].missing_share == pytest.approx(1 / 8)
    assert (features["history"].of, features["genres"].of) == ("item", None)
    assert (features["item"].distinct, features["genres"].distinct, features["words"].distinct) == (
        3,
        1,
        None,
    )


def test_min_count_can_be_given_for_all(tmp_path: Path) -> None:
    assemble(some_splits(), tmp_path / "out", min_count=4)
    schema = Dataset.open(tmp_path / "out").schema
    assert [feature.min_count for feature in schema.owners] == [4, 4, 4, 1]
    assert (schema.categorical[0].rows, schema.categorical[1].rows, schema.lists[1].rows) == (2, 4, 2)


def test_keys_after_the_training_rows_are_not_counted(tmp_path: Path) -> None:
    """All splits share one array of events; only what training histories hold may be counted."""
    raw = some_splits()
    assemble(raw, tmp_path / "out", min_count=1)
    assert 13 not in Vocabulary.load(tmp_path / "out" / "vocab" / "item.arrow").keys


def test_shards_are_short_where_lists_may_be_long(tmp_path: Path) -> None:
    """A shard's lists hold at most 2**31 - 1 ids."""
    raw = some_splits()
    words = replace(raw.schema.lists[2], max_length=2**30 - 1)
    schema = replace(raw.schema, lists=(*raw.schema.lists[:2], words))
    assemble(replace(raw, schema=schema), tmp_path / "out")
    assert [len(shard.dense) for shard in Dataset.open(tmp_path / "out").shards("train")] == [2, 2, 2]


def test_rejected_rows_are_kept(tmp_path: Path) -> None:
    rows = (Rejection(7, "number", "rating", "found 'x', expected a number", b"1::2::x\t"),)
    raw = replace(some_splits(), rejected={"ratings.dat": rows, "users.dat": ()})
    report = assemble(raw, tmp_path / "out")
    assert (report.rejected_rows, report.rejected_by_reason) == (1, {"number": 1})
    lines = (tmp_path / "out" / "rejected.tsv").read_text().splitlines()
    assert lines == ["source\tline\treason\tcolumn\ttext", "ratings.dat\t7\tnumber\trating\t1::2::x\\t"]
    assert str(raw.first_rejection()) == "ratings.dat, line 7, column rating: found 'x', expected a number"
    assemble(some_splits(), tmp_path / "clean")
    assert not (tmp_path / "clean" / "rejected.tsv").exists()
    assert some_splits().first_rejection() is None


def test_a_data_set_is_complete_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []

    def fail_late(*arguments: Any) -> None:
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        write_shard(*arguments)
        written.append(arguments)

    monkeypatch.setattr("hotrow.data.assemble.write_shard", fail_late)
    with pytest.raises(StorageError, match="out: no space left on the disk"):
        assemble(some_splits(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_output_in_the_way(tmp_path: Path) -> None:
    assemble(some_splits(), tmp_path / "out")
    with pytest.raises(OutputExistsError, match="out: already exists"):
        assemble(some_splits(), tmp_path / "out")
    assert assemble(some_splits(), tmp_path / "out", overwrite=True).rows == 8


def test_no_rows_to_train_on(tmp_path: Path) -> None:
    raw = some_splits()
    splits = dict(raw.splits) | {"train": raw.splits["train"].take(slice(0))}
    with pytest.raises(DataError, match=r"ratings\.dat: no rows to train on"):
        assemble(replace(raw, splits=splits), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("labels", np.ones(6, np.float32), r"train: expected labels of shape \(6, 2\)"),
        ("labels", None, r"train: expected labels of shape \(6, 2\)"),
        ("groups", None, "train: expected groups where the schema names a group"),
        ("lists", "start", "train: history has slices outside its 8 keys"),
        ("lists", "length", "train: history has slices outside its 8 keys"),
    ],
)
def test_mistakes_of_a_format_are_not_written(tmp_path: Path, field: str, value: Any, message: str) -> None:
    raw = some_splits()
    train = raw.splits["train"]
    if field == "lists":
        shift = {"start": (-1, 0), "length": (0, 5)}[value]
        first = train.lists[0]
        moved = RawList(first.keys, first.starts + shift[0], first.lengths + shift[1])
        value = (moved, *train.lists[1:])
    wrong = replace(train, **{field: value})
    with pytest.raises(ValueError, match=message):
        assemble(replace(raw, splits=dict(raw.splits) | {"train": wrong}), tmp_path / "out")
    with pytest.raises(ValueError, match="splits train, expected train, valid, test"):
        assemble(replace(raw, splits={"train": train}), tmp_path / "out")
