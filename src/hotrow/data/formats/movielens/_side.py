"""What is known of users and movies: columns of text, and each movie's genres."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.data.formats._columns import Columns, read_columns
from hotrow.data.formats._delimited import Field, Layout
from hotrow.data.formats.movielens._files import Kind
from hotrow.data.formats.movielens._ratings import atomic_fields, require_columns
from hotrow.data.keys import text_keys
from hotrow.data.raw import MISSING_KEY, RawList
from hotrow.errors import DataError

GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary"),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller"),
    *("War", "Western"),
)
"""The 19 flags of ``u.item``, in the order of MovieLens-100K's README."""

_YEAR_IN_TITLE = re.compile(r"\((\d{4})\)\s*$")


@dataclass(frozen=True, slots=True)
class Side:
    """What a file tells of S users or movies.

    Attributes:
        ids: (S,) int64, sorted.
        texts: (S,) keys of each column of text, by name.
        genres: of S movies, or None.
    """

    ids: NDArray[np.int64]
    texts: dict[str, NDArray[np.uint64]]
    genres: RawList | None = None

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where each id is, -1 if it is not there."""
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[places] == ids, places, -1)

    def text_of(self, name: str, ids: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return a column's key for each id, ``MISSING_KEY`` where nothing is known."""
        rows = self.rows_of(ids)
        return np.where(rows >= 0, self.texts[name][rows], MISSING_KEY)


def read_users(path: Path, kind: Kind) -> tuple[Side, Columns]:
    """Read gender, age, occupation and zip code, as far as the file has them.

    Raises:
        DataError: names file and line.
    """
    text = {name: Field(name, "text", optional=True) for name in ("gender", "age", "occupation", "zip")}
    user = Field("user", "integer")
    if kind == "users.dat":
        layout = Layout((user, *text.values()), "::", latin1=True)
    elif kind == "u.user":
        order = ("age", "gender", "occupation", "zip")
        layout = Layout((user, *(text[name] for name in order)), "|", latin1=True)
    else:
        known = text | {"user_id": user, "zip_code": text["zip"]}
        layout = _atomic(path, known, "user")
    columns = read_columns(path, layout)
    order_S = _order(columns, "user")
    texts = {name: columns[name][order_S] for name in text if name in columns.values}
    return Side(columns["user"][order_S], texts), columns


def read_items(path: Path, kind: Kind) -> tuple[Side, Columns]:
    """Read the year and the genres, as far as the file has them.

    Raises:
        DataError: names file and line.
    """
    item, title = Field("item", "integer"), Field("title", "string", optional=True)
    genres, year = Field("genres", "string", optional=True), Field("year", "text", optional=True)
    separator = "|"
    if kind == "movies.dat":
        layout = Layout((item, title, genres), "::", latin1=True)
    elif kind == "u.item":
        skipped = (Field("date", "skip"), Field("video date", "skip"), Field("url", "skip"))
        flags = tuple(Field(name, "integer") for name in GENRES)
        layout = Layout((item, title, *skipped, *flags), "|", latin1=True)
    else:
        known = {"item_id": item, "release_year": year} | dict.fromkeys(("class", "genre", "genres"), genres)
        layout, separator = _atomic(path, known, "item"), " "
    columns = read_columns(path, layout)
    order = _order(columns, "item")
    texts = {}
    if "year" in columns.values:
        texts["year"] = columns["year"][order]
    elif "title" in columns.values:
        texts["year"] = _years(columns["title"][order])
    return Side(columns["item"][order], texts, _genres(columns, order, separator)), columns


def _atomic(path: Path, known: dict[str, Field], key: str) -> Layout:
    fields = atomic_fields(path, known)
    require_columns(path, fields, (key,), "{}_id:token")
    return Layout(fields, header=True)


def _order(columns: Columns, name: str) -> NDArray[np.int64]:
    """Return the order of the ids, each of which may be there once."""
    ids = columns[name]
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(np.diff(ids[order]) == 0)
    if twice.size:
        line = int(columns.lines[order[twice[0] + 1]])
        raise DataError(columns.path, f"{name} {ids[order[twice[0]]]} is there twice", line=line, column=name)
    return order


def _years(titles: NDArray[Any]) -> NDArray[np.uint64]:
    """Return the keys of the years at the ends of titles, ``MISSING_KEY`` where there is none."""
    found = [_YEAR_IN_TITLE.search(title) for title in titles.tolist()]
    keys = text_keys([match[1] if match else "" for match in found])
    return np.where([match is not None for match in found], keys, MISSING_KEY)


def _genres(columns: Columns, order: NDArray[np.int64], separator: str) -> RawList | None:
    if "genres" in columns.values:
        return _bags([_names(text, separator) for text in columns["genres"][order].tolist()])
    if GENRES[0] not in columns.values:
        return None
    flags_SG = np.stack([columns[name][order] for name in GENRES], axis=1) != 0
    return _bags([[GENRES[at] for at in np.flatnonzero(row)] for row in flags_SG])


def _names(text: str, separator: str) -> list[str]:
    return [name for name in text.split(separator) if name]


def _bags(bags: Sequence[Sequence[str]]) -> RawList:
    lengths = np.fromiter(map(len, bags), dtype=np.int64, count=len(bags))
    keys = text_keys([name for names in bags for name in names])
    return RawList(keys, np.cumsum(lengths) - lengths, lengths)
