from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hotrow.data.formats.movielens import MovieLens, MovieLensOptions
from hotrow.data.formats.movielens._files import MovieLensFiles
from hotrow.data.formats.movielens._ncf import read_ncf
from hotrow.data.formats.movielens._rows import Examples
from hotrow.errors import DataError, MissingFileError

REAL = Path(__file__).parents[5] / "shared" / "data" / "ml-1m"
TRAIN = [(user, 1 + user * 5 + step) for user in range(6) for step in range(5)]
TEST = [(user, user) for user in range(6)]


def write(folder: Path, *, pairs: bool = False, with_test: bool = False) -> Path:
    train = TRAIN + (TEST if with_test else [])
    ratings = "\t5\t978300000"
    name = "m.train.pairs.tsv" if pairs else "m.train.rating"
    tail = "" if pairs else ratings
    (folder / name).write_text("".join(f"{user}\t{item}{tail}\n" for user, item in train))
    (folder / "m.test.rating").write_text("".join(f"{user}\t{item}{ratings}\r\n" for user, item in TEST))
    negatives = "\t".join(str(item) for item in range(12, 27))
    (folder / "m.test.negative").write_text("".join(f"({u},{i})\t{negatives}\n" for u, i in TEST))
    return folder


def read(folder: Path, seed: int = 0) -> dict[str, Examples]:
    return read_ncf(MovieLensFiles([folder]), eval_negatives=8, seed=seed)[0]


@pytest.mark.parametrize("pairs", [False, True], ids=["ratings", "pairs"])
@pytest.mark.parametrize("with_test", [False, True])
def test_the_published_protocol(tmp_path: Path, pairs: bool, with_test: bool) -> None:
    splits = read(write(tmp_path, pairs=pairs, with_test=with_test))
    test = splits["test"]
    assert test.labels.tolist() == ([1.0] + [0.0] * 15) * 6
    assert test.users.tolist() == [user for user, _ in TEST for _ in range(16)]
    assert test.items.tolist() == [item for _, mine in TEST for item in (mine, *range(12, 27))]
    valid = splits["valid"]
    assert valid.labels.tolist() == ([1.0] + [0.0] * 8) * 6
    held = list(zip(valid.users[::9].tolist(), valid.items[::9].tolist(), strict=True))
    train = list(zip(splits["train"].users.tolist(), splits["train"].items.tolist(), strict=True))
    assert sorted(held + train) == sorted(TRAIN)
    assert [user for user, _ in held] == list(range(6))
    for row in range(0, 54, 9):
        user = int(valid.users[row])
        negatives = valid.items[row + 1 : row + 9].tolist()
        assert len(set(negatives)) == 8
        assert not {(user, item) for item in negatives} & {*TRAIN, *TEST}


def test_the_seed_decides(tmp_path: Path) -> None:
    folder = write(tmp_path)
    first, again, other = (read(folder, seed) for seed in (1, 1, 2))
    assert np.array_equal(first["valid"].items, again["valid"].items)
    assert not np.array_equal(first["valid"].items, other["valid"].items)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "m.test.negative",
            "(2,2)",
            "(2,3)",
            r"negative, line 3, column pair: found '\(2,3\)', expected \(2,2\)",
        ),
        ("m.test.negative", "(2,2)", "2,2", r"negative, line 3, column pair: found '2,2', expected \(2,2\)"),
        ("m.test.negative", "(2,2)\t12\t", "(2,2)\t", r"negative, line 3: found 15 columns, expected 16"),
        ("m.test.rating", "2\t2\t", "2\tx\t", r"m.test.rating, line 3, column item: found 'x', expected an"),
        (
            "m.test.rating",
            "5\t5\t5\t978300000\r\n",
            "",
            r"negative: 6 lines of 15 negatives, expected .* 5 pairs",
        ),
    ],
)
def test_test_files_that_do_not_fit(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    path = write(tmp_path) / name
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("name", ["m.train.rating", "m.test.rating", "m.test.negative"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    with pytest.raises(MissingFileError, match=r"of MovieLens: not found, expected \*\." + name[2:]):
        read(tmp_path)


def test_real_files() -> None:
    if not REAL.is_dir():
        pytest.skip(f"no real data at {REAL}")
    splits = MovieLens().read([REAL], MovieLensOptions(task="implicit", split="ncf"))
    assert [(source.rows, source.rejected) for source in splits.sources] == [
        (994_169, 0),
        (6_040, 0),
        (6_040, 0),
    ]
    assert {name: len(block) for name, block in splits.splits.items()} == {
        "train": 994_169 - 6_040,
        "valid": 604_000,
        "test": 604_000,
    }
    test = splits.splits["test"]
    assert test.labels is not None
    assert test.labels.sum() == 6_040
    assert test.groups is not None
    assert np.array_equal(test.groups, np.repeat(np.arange(6_040), 100))
