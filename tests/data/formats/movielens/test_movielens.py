from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.formats.movielens.conftest import movie_genres

from hotrow.data.assemble import RawSplits
from hotrow.data.formats import find_format
from hotrow.data.formats.movielens import MovieLens, MovieLensOptions
from hotrow.data.keys import integer_keys, text_keys
from hotrow.data.raw import MISSING_KEY, RawBlock
from hotrow.errors import ConfigError, DataError, MissingFileError

Rating = tuple[int, int, int, int]
WriteMovieLens = Callable[[str], Path]
REAL = Path(__file__).parents[5] / "shared" / "data"
VARIANTS = ("ml-1m", "ml-100k", "atomic", "likes")


def read(*sources: Path, **options: Any) -> RawSplits:
    return MovieLens().read(sources, MovieLensOptions(**options))


def ids(block: RawBlock, row: int) -> list[int]:
    """Return a feature's whole numbers again."""
    values: list[int] = (block.keys[row] ^ np.uint64(1 << 63)).view(np.int64).tolist()
    return values


def lists(block: RawBlock, feature: int) -> list[list[int]]:
    column = block.lists[feature]
    slices = zip(column.starts.tolist(), column.lengths.tolist(), strict=True)
    return [column.keys[start : start + length].tolist() for start, length in slices]


def triples(splits: RawSplits, name: str) -> list[tuple[int, int, float]]:
    block = splits.splits[name]
    assert block.labels is not None
    return list(zip(ids(block, 0), ids(block, 1), block.labels.tolist(), strict=True))


def test_it_is_known_by_name() -> None:
    assert isinstance(find_format("movielens"), MovieLens)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_the_same_rows(
    write_movielens: WriteMovieLens, ratings: list[Rating], variant: str
) -> None:
    splits = read(write_movielens(variant), split="random", seed=3)
    assert [len(splits.splits[name]) for name in ("train", "valid", "test")] == [
        int(len(ratings) * 0.8),
        int(len(ratings) * 0.9) - int(len(ratings) * 0.8),
        len(ratings) - int(len(ratings) * 0.9),
    ]
    found = [row for name in ("train", "valid", "test") for row in triples(splits, name)]
    assert sorted(found) == sorted((user, item, float(stars >= 4)) for user, item, stars, _ in ratings)
    block = splits.splits["train"]
    names = [feature.name for feature in splits.schema.categorical]
    assert sorted(names) == ["age", "gender", "item", "occupation", "user", "year", "zip"]
    users, items = ids(block, 0), ids(block, 1)
    expected = {
        "gender": ["FM"[user % 2] for user in users],
        "age": [str(18 + user) for user in users],
        "occupation": [str(user % 4) for user in users],
        "zip": [f"9{user:04}" for user in users],
        "year": [str(1900 + item) for item in items],
    }
    for name, texts in expected.items():
        assert block.keys[names.index(name)].tolist() == text_keys(texts).tolist()
    genres = [sorted(text_keys(movie_genres(item)).tolist()) for item in items]
    assert [sorted(row) for row in lists(block, 0)] == genres
    assert block.groups is not None
    assert block.groups.tolist() == users
    assert (splits.schema.label, splits.schema.group, splits.schema.format) == ("like", "user", "movielens")


def test_ids_alone(write_movielens: WriteMovieLens) -> None:
    splits = read(write_movielens("ml-1m"), features="ids")
    assert [feature.name for feature in splits.schema.categorical] == ["user", "item"]
    assert splits.schema.lists == ()
    assert [Path(source.file).name for source in splits.sources] == ["ratings.dat"]


def test_time_split_keeps_the_order_of_time(write_movielens: WriteMovieLens, ratings: list[Rating]) -> None:
    splits = read(write_movielens("atomic"), like_at=3)
    found = [row for name in ("train", "valid", "test") for row in triples(splits, name)]
    in_time = sorted(ratings, key=lambda rating: rating[3])
    assert found == [(user, item, float(stars >= 3)) for user, item, stars, _ in in_time]


def test_leave_one_out(write_movielens: WriteMovieLens, ratings: list[Rating]) -> None:
    splits = read(write_movielens("ml-100k"), split="leave_one_out")
    last: dict[int, list[int]] = {}
    for user, item, _, _ in sorted(ratings, key=lambda rating: rating[3]):
        last.setdefault(user, []).append(item)
    for back, name in ((1, "test"), (2, "valid")):
        assert {user: item for user, item, _ in triples(splits, name)} == {
            user: items[-back] for user, items in last.items()
        }
    assert len(splits.splits["train"]) == len(ratings) - 2 * len(last)


@pytest.mark.parametrize("split", ["time", "leave_one_out"])
@pytest.mark.parametrize("task", ["like", "implicit"])
@pytest.mark.parametrize("longest", [3, 50])
def test_histories_hold_earlier_items_only(
    write_movielens: WriteMovieLens, ratings: list[Rating], split: str, task: str, longest: int
) -> None:
    splits = read(write_movielens("ml-1m"), split=split, task=task, history=longest, eval_negatives=4)
    assert splits.schema.lists[0].of == "item"
    assert splits.schema.lists[0].kind == "sequence"
    times = {(user, item): time for user, item, _, time in ratings}
    stars = {(user, item): stars for user, item, stars, _ in ratings}
    lengths = set()
    for name in ("train", "valid", "test"):
        block = splits.splits[name]
        histories = lists(block, 0)
        step = 1 if task == "like" or name == "train" else 5
        for row in range(0, len(block), step):
            user, item, _ = triples(splits, name)[row]
            before = {
                other: time
                for (who, other), time in times.items()
                if who == user
                and time < times[user, item]
                and (task == "implicit" or stars[user, other] >= 4)
            }
            found = (np.array(histories[row], dtype=np.uint64) ^ np.uint64(1 << 63)).view(np.int64).tolist()
            assert set(found) <= set(before)
            assert len(found) == min(longest, len(before))
            assert [before[item] for item in found] == sorted(before.values())[-longest:]
            assert all(histories[row] == histories[row + more] for more in range(step))
            lengths.add(len(found))
    assert len(lengths) > 2


def test_implicit_evaluation_rows_are_a_positive_and_unseen_items(
    write_movielens: WriteMovieLens, ratings: list[Rating]
) -> None:
    splits = read(write_movielens("likes"), split="random", task="implicit", eval_negatives=7)
    assert splits.schema.label == "interaction"
    seen = {(user, item) for user, item, _, _ in ratings}
    assert {label for _, _, label in triples(splits, "train")} == {1.0}
    for name in ("valid", "test"):
        rows = triples(splits, name)
        assert [label for _, _, label in rows] == ([1.0] + [0.0] * 7) * (len(rows) // 8)
        for start in range(0, len(rows), 8):
            users = {user for user, _, _ in rows[start : start + 8]}
            negatives = [(user, item) for user, item, _ in rows[start + 1 : start + 8]]
            assert len(users) == 1
            assert len(set(negatives)) == 7
            assert not seen.intersection(negatives)


def test_the_seed_decides(write_movielens: WriteMovieLens) -> None:
    folder = write_movielens("likes")
    options = {"split": "random", "task": "implicit", "eval_negatives": 5}
    first, again, other = (read(folder, seed=seed, **options) for seed in (1, 1, 2))
    for name in ("train", "valid", "test"):
        assert triples(first, name) == triples(again, name)
        assert triples(first, name) != triples(other, name)


def test_users_and_movies_that_nothing_is_told_of(write_movielens: WriteMovieLens) -> None:
    folder = write_movielens("ml-1m")
    users, movies = folder / "users.dat", folder / "movies.dat"
    users.write_text("3::F::18::::12345\n")
    movies.write_text("104::No year::Drama\n")
    splits = read(folder, split="random")
    block = splits.splits["train"]
    names = [feature.name for feature in splits.schema.categorical]
    for name, known in (("gender", {3}), ("occupation", set())):
        is_missing = block.keys[names.index(name)] == MISSING_KEY
        assert {user for user, gone in zip(ids(block, 0), is_missing, strict=True) if not gone} == known
    assert (block.keys[names.index("year")] == MISSING_KEY).all()
    genres = lists(block, 0)
    drama = text_keys(["Drama"]).tolist()
    assert genres == [drama if item == 104 else [] for item in ids(block, 1)]
    assert drama in genres


def test_malformed_lines_are_kept_with_file_and_line(write_movielens: WriteMovieLens) -> None:
    folder = write_movielens("ml-1m")
    with (folder / "ratings.dat").open("ab") as stream:
        stream.write(b"1::2\n7::x::3::978300000\n")
    with (folder / "users.dat").open("ab") as stream:
        stream.write(b"who::F::1::2::3\n")
    before = len((folder / "ratings.dat").read_bytes().splitlines()) - 2
    splits = read(folder)
    found = {Path(file).name: rows for file, rows in splits.rejected.items()}
    assert [(row.line, row.reason, row.column, row.text) for row in found["ratings.dat"]] == [
        (before + 1, "column_count", "", b"1::2"),
        (before + 2, "integer", "item", b"7::x::3::978300000"),
    ]
    assert found["users.dat"][0].detail == "found 'who', expected an integer of at most 18 digits"
    assert [(source.rows, source.rejected) for source in splits.sources] == [(before, 2), (12, 1), (40, 0)]


@pytest.mark.parametrize(
    ("variant", "options", "message"),
    [
        ("likes", {}, r"split: got 'time', expected random, since .*interactions_like.csv has no timestamps"),
        ("likes", {"split": "leave_one_out"}, r"split: got 'leave_one_out', expected random"),
        ("likes", {"split": "random", "like_at": 3}, r"like_at: got 3, expected 4, the rating from which"),
        ("ml-1m", {"split": "random", "history": 5}, r"split: got 'random', expected time or leave_one_out"),
        ("ml-1m", {"like_at": float("nan")}, r"like_at: got nan, expected a rating"),
        ("ml-1m", {"history": -1}, r"history: got -1, expected a number of movies"),
        ("ml-1m", {"eval_negatives": 0}, r"eval_negatives: got 0, expected at least 1"),
        ("ml-1m", {"seed": -1}, r"seed: got -1, expected at least 0"),
        ("ml-1m", {"split": "ncf"}, r"task: got 'like', expected implicit"),
    ],
)
def test_options_that_do_not_fit(
    write_movielens: WriteMovieLens, variant: str, options: dict[str, Any], message: str
) -> None:
    folder = write_movielens(variant)
    with pytest.raises(ConfigError, match=message):
        read(folder, **options)


def test_more_negatives_than_there_are_unseen_items(write_movielens: WriteMovieLens) -> None:
    with pytest.raises(DataError, match=r"ratings.dat: user \d+ has interacted with all but \d+ of 40 items"):
        read(write_movielens("ml-1m"), task="implicit")


@pytest.mark.parametrize(
    ("name", "header", "column"),
    [
        ("x.inter", "user_id:token\titem_id:token\trating:float\trating:float", "rating"),
        ("interactions_like.csv", "user_id,movie_id,like,like", "like"),
    ],
)
def test_a_column_that_is_there_twice(tmp_path: Path, name: str, header: str, column: str) -> None:
    path = tmp_path / name
    path.write_text(f"{header}\n")
    with pytest.raises(DataError, match=rf"line 1: has 2 columns {column} in its header, expected one"):
        read(path, split="random")


def test_too_few_ratings_to_split(tmp_path: Path) -> None:
    path = tmp_path / "ratings.dat"
    path.write_text("1::2::3::4\n")
    with pytest.raises(DataError, match=r"ratings.dat: 1 interactions leave none for the train split"):
        read(path)
    with pytest.raises(MissingFileError, match=r"absent.dat"):
        read(tmp_path / "absent.dat")


def require(folder: str) -> Path:
    if not (REAL / folder).is_dir():
        pytest.skip(f"no real data at {REAL / folder}")
    return REAL / folder


def test_real_ml_100k() -> None:
    splits = read(require("ml-100k"), history=50)
    assert [len(block) for block in splits.splits.values()] == [80_000, 10_000, 10_000]
    assert [(source.rows, source.rejected) for source in splits.sources] == [
        (100_000, 0),
        (943, 0),
        (1_682, 0),
    ]
    block = splits.splits["train"]
    assert len(np.unique(np.concatenate([part.keys[1] for part in splits.splits.values()]))) == 1_682
    assert (block.keys != MISSING_KEY).all()
    assert block.lists[0].lengths.max() == 50
    assert (block.lists[1].lengths > 0).all()
    assert integer_keys(np.array([196]))[0] in block.keys[0]


def test_real_ml_1m() -> None:
    splits = read(require("ml-1m"), split="random")
    assert sum(map(len, splits.splits.values())) == 1_000_209
    positives = sum(int(block.labels.sum()) for block in splits.splits.values() if block.labels is not None)
    assert positives == 575_281
    assert all((block.keys != MISSING_KEY).all() for block in splits.splits.values())
