from __future__ import annotations

from pathlib import Path

import pytest

from hotrow.data.formats.movielens._files import MovieLensFiles
from hotrow.errors import DataError, MissingFileError


def write(folder: Path, *names: str, content: str = "1\t2\t3\t4\n") -> list[Path]:
    for name in names:
        (folder / name).write_text(content)
    return [folder / name for name in names]


def test_files_are_told_by_their_names(tmp_path: Path) -> None:
    write(
        tmp_path,
        "ratings.dat.gz",
        "users.dat",
        "U.item",
        "a.train.rating",
        "a.test.rating",
        "README",
        "b.csv",
    )
    files = MovieLensFiles([tmp_path])
    assert files.require("ratings") == (tmp_path / "ratings.dat.gz", "ratings.dat")
    assert files.require("users") == (tmp_path / "users.dat", "users.dat")
    assert files.require("items") == (tmp_path / "U.item", "u.item")
    assert files.require("train") == (tmp_path / "a.train.rating", "ncf.train")
    assert files.find("negatives") is None
    with pytest.raises(
        MissingFileError, match=r"negatives of MovieLens: not found, expected \*.test.negative"
    ):
        files.require("negatives")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("1::2::3.5::4\n", "ratings.dat"),
        ("1\t2\t3\t4\n", "u.data"),
        ("user_id:token\titem_id:token\trating:float\n1\t2\t3\n", "atomic.inter"),
        ("user_id,movie_id,like\n1,2,1\n", "likes.csv"),
    ],
)
def test_ratings_of_any_name_are_told_by_their_first_line(tmp_path: Path, content: str, kind: str) -> None:
    (path,) = write(tmp_path, "mine.txt", content=content)
    assert MovieLensFiles([path]).require("ratings") == (path, kind)
    assert MovieLensFiles([tmp_path]).find("ratings") is None  # of a folder only files of known names


def test_a_named_file_that_is_none_of_them(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "notes.txt", content="hello\n")
    with pytest.raises(DataError, match=r"notes.txt: is no file of MovieLens that is known, expected one of"):
        MovieLensFiles([path])


def test_two_files_of_ratings(tmp_path: Path) -> None:
    write(tmp_path, "ratings.dat", "u.data", "users.dat")
    files = MovieLensFiles([tmp_path])
    with pytest.raises(DataError, match=r"u.data: holds ratings, as ratings.dat does"):
        files.require("ratings")
    assert MovieLensFiles([tmp_path / "u.data", tmp_path / "users.dat"]).find("ratings") is not None
