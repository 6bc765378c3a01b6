"""Which files are MovieLens's: told by their names or, ratings given by themselves, by their first line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from hotrow.data.formats._columns import first_cells
from hotrow.errors import DataError, MissingFileError

Role = Literal["ratings", "users", "items", "train", "test", "negatives"]
Kind = Literal[
    "ratings.dat",
    "users.dat",
    "movies.dat",
    "u.data",
    "u.user",
    "u.item",
    "atomic.inter",
    "atomic.user",
    "atomic.item",
    "likes.csv",
    "ncf.train",
    "ncf.test",
    "ncf.negative",
]

_BY_NAME: tuple[tuple[str, Kind], ...] = (
    (r"ratings\.dat", "ratings.dat"),
    (r"users\.dat", "users.dat"),
    (r"movies\.dat", "movies.dat"),
    (r"u\.data", "u.data"),
    (r"u\.user", "u.user"),
    (r"u\.item", "u.item"),
    (r".*\.inter", "atomic.inter"),
    (r".*\.user", "atomic.user"),
    (r".*\.item", "atomic.item"),
    (r"interactions_like\.csv", "likes.csv"),
    (r".*\.train\.(rating|pairs\.tsv)", "ncf.train"),
    (r".*\.test\.rating", "ncf.test"),
    (r".*\.test\.negative", "ncf.negative"),
)
_ROLES: dict[Kind, Role] = {
    "ratings.dat": "ratings",
    "u.data": "ratings",
    "atomic.inter": "ratings",
    "likes.csv": "ratings",
    "users.dat": "users",
    "u.user": "users",
    "atomic.user": "users",
    "movies.dat": "items",
    "u.item": "items",
    "atomic.item": "items",
    "ncf.train": "train",
    "ncf.test": "test",
    "ncf.negative": "negatives",
}
_EXPECTED: dict[Role, str] = {
    "ratings": "ratings.dat, u.data, *.inter or interactions_like.csv",
    "users": "users.dat, u.user or *.user",
    "items": "movies.dat, u.item or *.item",
    "train": "*.train.rating or *.train.pairs.tsv",
    "test": "*.test.rating",
    "negatives": "*.test.negative",
}


class MovieLensFiles:
    """The files of one data set by what they hold.

    Args:
        sources: files, and folders whose files are looked at; other files of a folder are left alone.

    Raises:
        DataError: a file given by itself is none of MovieLens's, or two hold the same thing.
    """

    def __init__(self, sources: Sequence[Path]) -> None:
        self._sources = sources
        self._found: dict[Role, list[tuple[Path, Kind]]] = {}
        for path, is_named in _files(sources):
            kind = _kind(path, look_inside=is_named)
            if kind is not None:
                self._found.setdefault(_ROLES[kind], []).append((path, kind))
            elif is_named:
                expected = ", ".join(_EXPECTED.values())
                raise DataError(path, f"is no file of MovieLens that is known, expected one of {expected}")

    def find(self, role: Role) -> tuple[Path, Kind] | None:
        """Return the one file that holds something, or None.

        Raises:
            DataError: there are two.
        """
        found = self._found.get(role, [])
        if len(found) > 1:
            other = found[0][0].name
            raise DataError(
                found[1][0], f"holds {role}, as {other} does: give the files to be read one by one"
            )
        return found[0] if found else None

    def require(self, role: Role) -> tuple[Path, Kind]:
        """Return the one file that holds something.

        Raises:
            DataError: there are two.
            MissingFileError: there is none; says what it might be called.
        """
        found = self.find(role)
        if found is None:
            place = self._sources[0]
            raise MissingFileError(f"{place}: {role} of MovieLens", _EXPECTED[role])
        return found


def _files(sources: Iterable[Path]) -> Iterable[tuple[Path, bool]]:
    """Yield files, and whether they were given by name."""
    for source in sources:
        if source.is_dir():
            for path in sorted(source.iterdir()):
                if path.is_file():
                    yield path, False
        else:
            yield source, True


def _kind(path: Path, *, look_inside: bool) -> Kind | None:
    name = path.name.lower().removesuffix(".gz")
    for pattern, kind in _BY_NAME:
        if re.fullmatch(pattern, name):
            return kind
    return _kind_by_content(path) if look_inside else None


def _kind_by_content(path: Path) -> Kind | None:
    """Recognise ratings of any name."""
    if re.fullmatch(r"\d+::\d+::[\d.]+::\d+", first_cells(path, "\n")[0]):
        return "ratings.dat"
    cells = first_cells(path, "\t")
    if "user_id:token" in cells and "item_id:token" in cells:
        return "atomic.inter"
    if len(cells) == 4 and all(cell.isdigit() for cell in cells):
        return "u.data"
    return "likes.csv" if first_cells(path, ",")[:3] == ["user_id", "movie_id", "like"] else None
