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

_KINDS: dict[Kind, tuple[str, Role]] = {
    "ratings.dat": (r"ratings\.dat", "ratings"),
    "users.dat": (r"users\.dat", "users"),
    "movies.dat": (r"movies\.dat", "items"),
    "u.data": (r"u\.data", "ratings"),
    "u.user": (r"u\.user", "users"),
    "u.item": (r"u\.item", "items"),
    "atomic.inter": (r".*\.inter", "ratings"),
    "atomic.user": (r".*\.user", "users"),
    "atomic.item": (r".*\.item", "items"),
    "likes.csv": (r"interactions_like\.csv", "ratings"),
    "ncf.train": (r".*\.train\.(rating|pairs\.tsv)", "train"),
    "ncf.test": (r".*\.test\.rating", "test"),
    "ncf.negative": (r".*\.test\.negative", "negatives"),
}
"""What each kind is called, in lower case and without ``.gz``, and what it holds."""

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
                self._found.setdefault(_KINDS[kind][1], []).append((path, kind))
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
    for kind, (pattern, _) in _KINDS.items():
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
