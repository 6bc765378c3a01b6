"""Reading files of ratings, whatever their format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hotrow.data.formats._columns import Columns, first_cells, read_columns
from hotrow.data.formats._delimited import Field, Layout, label_field
from hotrow.data.formats._interactions import Interactions
from hotrow.data.formats.movielens._files import Kind
from hotrow.errors import ConfigError, DataError

LIKED_IN_CSV = 4.0
"""From which rating on ``interactions_like.csv`` says that a user likes a movie."""

_FOUR = (
    Field("user", "integer"),
    Field("item", "integer"),
    Field("rating", "number"),
    Field("time", "number"),
)
_LIKES = (Field("user_id", "integer"), Field("movie_id", "integer"), label_field("like"))
_ATOMIC = {"user_id": "user", "item_id": "item", "rating": "rating", "timestamp": "time"}


def read_ratings(path: Path, kind: Kind, *, like_at: float) -> tuple[Interactions, Columns]:
    """Read ratings.

    Args:
        path: the file.
        kind: what it is.
        like_at: from which rating on a user likes an item.

    Raises:
        ConfigError: the file knows likes only, and those from another rating on.
        DataError: names file and line.
    """
    if kind == "likes.csv":
        return _read_likes(path, like_at)
    columns = read_columns(path, _layout(path, kind))
    if "rating" not in columns.values:
        raise DataError(path, "has no column rating:float, expected one to tell likes by", line=1)
    times = columns.values.get("time")
    found = Interactions(path, columns["user"], columns["item"], columns["rating"] >= like_at, times)
    return found, columns


def atomic_fields(path: Path, known: dict[str, Field]) -> tuple[Field, ...]:
    """Read the header of a RecBole atomic file, ``name:type`` a column.

    Args:
        path: the file.
        known: what to read of it, by name; other columns are skipped.

    Raises:
        DataError: a column has no type, or is there twice.
    """
    fields = []
    for cell in first_cells(path, "\t"):
        name, colon, _ = cell.partition(":")
        if not colon:
            raise DataError(path, f"found {cell!r}, expected a header of name:type columns", line=1)
        fields.append(known.get(name, Field(name, "skip")))
    _refuse_repeated(path, fields)
    return tuple(fields)


def require_columns(path: Path, fields: tuple[Field, ...], names: tuple[str, ...], header: str) -> None:
    """Refuse a header without a column that is needed.

    Raises:
        DataError: names it.
    """
    for name in names:
        if all(field.name != name or field.kind == "skip" for field in fields):
            raise DataError(path, f"has no column {header.format(name)} in its header", line=1)


def _refuse_repeated(path: Path, fields: Sequence[Field]) -> None:
    names = [field.name for field in fields if field.kind != "skip"]
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                path, f"has {names.count(name)} columns {name} in its header, expected one", line=1
            )


def _layout(path: Path, kind: Kind) -> Layout:
    if kind == "ratings.dat":
        return Layout(_FOUR, "::", latin1=True)
    if kind == "u.data":
        return Layout(_FOUR)
    known = {name: field for field in _FOUR for name, plain in _ATOMIC.items() if plain == field.name}
    fields = atomic_fields(path, known)
    require_columns(path, fields, ("user", "item"), "{}_id:token")
    return Layout(fields, header=True)


def _read_likes(path: Path, like_at: float) -> tuple[Interactions, Columns]:
    if like_at != LIKED_IN_CSV:
        raise ConfigError("like_at", like_at, f"{LIKED_IN_CSV:g}, the rating from which {path} has likes")
    names = first_cells(path, ",")
    known = {field.name: field for field in _LIKES}
    fields = tuple(known.get(name, Field(name, "skip")) for name in names)
    require_columns(path, fields, tuple(known), "{}")
    _refuse_repeated(path, fields)
    columns = read_columns(path, Layout(fields, ",", header=True))
    return Interactions(path, columns["user_id"], columns["movie_id"], columns["like"] == 1, None), columns
