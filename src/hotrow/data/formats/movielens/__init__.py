"""MovieLens: ratings of movies, in the formats that they are passed on in.

Ratings: ``ratings.dat`` of MovieLens-1M, ``u.data`` of 100K, RecBole's atomic ``*.inter``, or
``interactions_like.csv`` (user_id, movie_id, like); with them, if they are there, files about users and
movies. Or the published files of NCF. See ``options`` and ``_files``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.data.assemble import RawSplits
from hotrow.data.formats._columns import Columns
from hotrow.data.formats._histories import earlier_events
from hotrow.data.formats._interactions import Interactions, split_interactions
from hotrow.data.formats._negatives import UnseenItems
from hotrow.data.formats.base import TableFormat
from hotrow.data.formats.movielens._files import MovieLensFiles
from hotrow.data.formats.movielens._ncf import read_ncf
from hotrow.data.formats.movielens._ratings import read_ratings
from hotrow.data.formats.movielens._rows import Examples, RowMaker, with_negatives
from hotrow.data.formats.movielens._side import Side, read_items, read_users
from hotrow.data.formats.movielens.options import MovieLensOptions
from hotrow.data.keys import integer_keys
from hotrow.data.raw import RawList

__all__ = ["MovieLens", "MovieLensOptions"]


class MovieLens(TableFormat[MovieLensOptions]):
    """MovieLens in any of its formats."""

    name = "movielens"
    options = MovieLensOptions

    def read(self, sources: Sequence[Path], options: MovieLensOptions) -> RawSplits:
        """Read ratings, or NCF's files, and split them; see ``MovieLensOptions``."""
        files = MovieLensFiles(sources)
        if options.split == "ncf":
            splits, read = read_ncf(files, eval_negatives=options.eval_negatives, seed=options.seed)
            maker = RowMaker("interaction", None, None, 0)
        else:
            interactions, columns = read_ratings(*files.require("ratings"), like_at=options.like_at)
            splits = _examples(interactions, options)
            users, items, read = _sides(files, options)
            read.insert(0, columns)
            label = "like" if options.task == "like" else "interaction"
            maker = RowMaker(label, users, items, options.history)
        return RawSplits(
            schema=maker.schema(),
            splits={name: maker.block(examples) for name, examples in splits.items()},
            sources=tuple(columns.source_info() for columns in read),
            rejected={str(columns.path): columns.rejections() for columns in read},
        )


def _sides(
    files: MovieLensFiles, options: MovieLensOptions
) -> tuple[Side | None, Side | None, list[Columns]]:
    """Read what is told of users and items, where it is wanted and there."""
    users = items = None
    read = []
    if options.features == "all":
        user_file, item_file = files.find("users"), files.find("items")
        if user_file is not None:
            users, columns = read_users(*user_file)
            read.append(columns)
        if item_file is not None:
            items, columns = read_items(*item_file)
            read.append(columns)
    return users, items, read


def _examples(interactions: Interactions, options: MovieLensOptions) -> dict[str, Examples]:
    """Split interactions, and give each row its history and, where it is judged by rank, its negatives."""
    assert options.split != "ncf"
    splits = split_interactions(interactions, options.split, options.seed)
    histories = _histories(interactions, options)
    is_implicit = options.task == "implicit"
    labels = np.ones(len(interactions)) if is_implicit else interactions.liked
    rng = np.random.default_rng((options.seed, 1))  # not the numbers of the split
    found = {}
    unseen = None
    for name, rows in splits.items():
        history = None if histories is None else histories.take(rows)
        users, items = interactions.users[rows], interactions.items[rows]
        found[name] = Examples(users, items, labels[rows].astype(np.float32), history)
        if is_implicit and name != "train":
            unseen = unseen or UnseenItems(interactions.users, interactions.items, interactions.source)
            drawn: NDArray[np.int64] = unseen.sample_distinct(users, options.eval_negatives, rng)
            found[name] = with_negatives(found[name], drawn)
    return found


def _histories(interactions: Interactions, options: MovieLensOptions) -> RawList | None:
    """Return what each interaction's user liked, or saw, before."""
    if not options.history:
        return None
    times = interactions.require_times("history", options.history, "0")
    events = interactions if options.task == "implicit" else interactions.take(interactions.liked)
    event_times = events.require_times("history", options.history, "0")
    found = earlier_events(events.users, event_times, interactions.users, times, options.history)
    return RawList(integer_keys(events.items[found.order]), found.starts, found.lengths)
