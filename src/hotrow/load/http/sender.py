"""Queries as finished HTTP requests, and what sends them."""

from __future__ import annotations

from typing import Any

from hotrow.load.http.answers import judge
from hotrow.load.http.bodies import Parts, Write
from hotrow.load.http.pool import Pool
from hotrow.load.http.url import Url, finish
from hotrow.load.query import LoadQuery, QuerySource, Status

RANK_PATH = "/v1/rank"


def infer_path(model: str) -> str:
    """Return the path of a model's inference call."""
    return f"/v2/models/{model}/infer"


class HttpQueries:
    """Contents that are whole requests; an instance of ``QuerySource[Parts]``.

    They are made ahead of their time, so that encoding is no part of a latency.

    Args:
        source: makes the rows.
        write: makes a body of them.
        url: of the server.
        path: of the call.
    """

    def __init__(self, source: QuerySource[Any], write: Write, url: Url, path: str) -> None:
        self._source, self._write = source, write
        self._head = url.head("POST", path)

    def content(self, number: int, rows: int) -> Parts:
        """Return the request of query ``number``."""
        return finish(self._head, self._write(self._source.content(number, rows)))


class HttpSender:
    """Sends queries over kept connections.

    Args:
        url: of the server.
        is_ranking: whether answers are those of the plain ranking call.
    """

    def __init__(self, url: Url, *, is_ranking: bool) -> None:
        self.pool = Pool(url.host, url.port, url.tls())
        self._is_ranking = is_ranking

    async def send(self, query: LoadQuery[Parts]) -> Status:
        """Send one query and wait for its answer.

        Raises:
            BadAnswerError: the server refused it as wrong, failed, or did not score every candidate.
            OSError: no connection could be opened.
            ConnectionLostError: the server closed the connection.
        """
        answer = await self.pool.ask(query.content)
        return judge(answer, query.rows, is_ranking=self._is_ranking)
