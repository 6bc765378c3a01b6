"""The same few ratings in every format that MovieLens is passed on in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hotrow.data.formats.movielens._side import GENRES

Rating = tuple[int, int, int, int]
WriteMovieLens = Callable[[str], Path]
USERS = range(1, 13)
ITEMS = range(100, 140)
VARIANTS = ("ml-1m", "ml-100k", "atomic", "likes")


def movie_genres(item: int) -> list[str]:
    return [GENRES[1 + item % 5], GENRES[10 + item % 3]][: 1 + item % 2]


@pytest.fixture
def ratings() -> list[Rating]:
    """Return (user, item, rating, time) in no order, some of them at the same time."""
    rng = np.random.default_rng(4)
    found: list[Rating] = []
    for user in USERS:
        items = rng.choice(ITEMS, size=5 + user, replace=False).tolist()
        stars, times = rng.integers(1, 6, len(items)), 978_300_000 + rng.integers(0, 30, len(items))
        found += zip([user] * len(items), items, stars.tolist(), times.tolist(), strict=True)
    return [found[at] for at in rng.permutation(len(found))]


def _lines(*lines: str, end: str = "\n", encoding: str = "utf-8") -> bytes:
    return "".join(line + end for line in lines).encode(encoding)


def _ml_1m(ratings: list[Rating]) -> dict[str, bytes]:
    users = [f"{user}::{'FM'[user % 2]}::{18 + user}::{user % 4}::9{user:04}" for user in USERS]
    movies = [f"{item}::Caf\xe9 {item} ({1900 + item})::{'|'.join(movie_genres(item))}" for item in ITEMS]
    return {
        "ratings.dat": _lines(*("::".join(map(str, rating)) for rating in ratings), end="\r\n"),
        "users.dat": _lines(*users),
        "movies.dat": _lines(*movies, encoding="latin-1"),
    }


def _ml_100k(ratings: list[Rating]) -> dict[str, bytes]:
    users = [f"{user}|{18 + user}|{'FM'[user % 2]}|{user % 4}|9{user:04}" for user in USERS]
    movies = []
    for item in ITEMS:
        flags = "|".join(str(int(genre in movie_genres(item))) for genre in GENRES)
        movies.append(f"{item}|Caf\xe9 {item} ({1900 + item})|01-Jan-{1900 + item}||http://x/{item}|{flags}")
    return {
        "u.data": _lines(*("\t".join(map(str, rating)) for rating in ratings)),
        "u.user": _lines(*users),
        "u.item": _lines(*movies, encoding="latin-1"),
    }


def _atomic(ratings: list[Rating]) -> dict[str, bytes]:
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    users = [f"{user}\t{18 + user}\t{'FM'[user % 2]}\t{user % 4}\t9{user:04}" for user in USERS]
    movies = [f"{item}\tCaf\xe9 {item}\t{1900 + item}\t{' '.join(movie_genres(item))}" for item in ITEMS]
    return {
        "ml.inter": _lines(
            head, *(f"{user}\t{item}\t{stars}.0\t{time}.0" for user, item, stars, time in ratings)
        ),
        "ml.user": _lines("user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token", *users),
        "ml.item": _lines(
            "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq", *movies, end="\r\n"
        ),
    }


def _likes(ratings: list[Rating]) -> dict[str, bytes]:
    rows = [f"{user},{item},{int(stars >= 4)},{int(stars >= 3)}" for user, item, stars, _ in ratings]
    files = _ml_1m(ratings)
    del files["ratings.dat"]
    return files | {
        "interactions_like.csv": _lines("user_id,movie_id,like,ge3", *rows),
        "SOURCE.txt": b"a text",
    }


@pytest.fixture
def write_movielens(tmp_path: Path, ratings: list[Rating]) -> WriteMovieLens:
    """Return a function that writes one variant and returns its folder."""

    def write(variant: str) -> Path:
        folder = tmp_path / variant
        folder.mkdir()
        make = dict(zip(VARIANTS, (_ml_1m, _ml_100k, _atomic, _likes), strict=True))[variant]
        for name, content in make(ratings).items():
            (folder / name).write_bytes(content)
        return folder

    return write
