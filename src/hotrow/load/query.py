"""One query, and where queries come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Content = TypeVar("Content")
Made = TypeVar("Made", covariant=True)


class Status(IntEnum):
    """What became of a query."""

    UNSENT = 0
    OK = 1
    SHED = 2
    """The server refused it for lack of room."""
    EXPIRED = 3
    """Its deadline passed."""
    FAILED = 4


@dataclass(frozen=True, slots=True)
class LoadQuery(Generic[Content]):
    """A query that is ready to be sent.

    Attributes:
        number: its number in the whole run, over all processes.
        rows: candidates.
        content: what ``send`` takes: an ``EncodedBlock``, ``RawRows`` or a finished HTTP request.
    """

    number: int
    rows: int
    content: Content


@dataclass(frozen=True, slots=True)
class RawRows:
    """Candidates with values as in the log.

    Attributes:
        candidates: B rows, value by column name; None or absent is missing.
        context: values that all of them share.
    """

    candidates: Sequence[Mapping[str, Any]]
    context: Mapping[str, Any]


class QuerySource(Protocol[Made]):
    """Makes the contents of queries."""

    def content(self, number: int, rows: int) -> Made:
        """Return the content of query ``number``, ``rows`` candidates: a pure function of its arguments."""


def generator_of(seed: int, number: int) -> np.random.Generator:
    """Return the random numbers of one query, the same whichever process makes it."""
    return np.random.Generator(np.random.Philox(key=[seed, number]))


def draw_rows(rng: np.random.Generator, available: int, count: int) -> NDArray[np.int64]:
    """Return ``count`` different rows out of ``available``; of fewer, each about as often as any other."""
    if count <= available:
        return rng.choice(available, count, replace=False, shuffle=False)
    return rng.permutation(np.arange(count) % available)
