"""What one process of a load over HTTP is told: all of it can be sent to another process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hotrow.data.dataset import Dataset
from hotrow.data.schema import Schema
from hotrow.load.generator import MAX_OUTSTANDING
from hotrow.load.http.bodies import Api, encoded_writer, raw_writer
from hotrow.load.http.sender import RANK_PATH, HttpQueries, infer_path
from hotrow.load.http.url import Url
from hotrow.load.prepared_rows import PreparedRows
from hotrow.load.query import QuerySource
from hotrow.load.raw_rows import Columns, RawFile
from hotrow.load.schedule import LoadConfig
from hotrow.load.synthetic_rows import SyntheticRows


@dataclass(frozen=True, kw_only=True)
class PreparedSource:
    """Rows of a split of the prepared data set in folder ``path``."""

    path: Path
    split: str


@dataclass(frozen=True, kw_only=True)
class RawSource:
    """Rows of a file of raw rows."""

    path: Path
    columns: Columns


@dataclass(frozen=True, kw_only=True)
class SyntheticSource:
    """Made-up rows for a model with this schema."""

    schema: Schema


@dataclass(frozen=True, kw_only=True)
class HttpJob:
    """A load over HTTP.

    Attributes:
        url: of the server.
        model: its name; unused by the ranking call.
        api: how queries are written: ``binary`` or ``json`` of the inference protocol, or ``rank``.
        config: when queries arrive, and their sizes.
        source: where candidates come from.
        context: features that all candidates of a query share.
        deadline_ms: passed on to the server, or None: as the inference protocol's parameter ``timeout``, in
            microseconds, which other servers know too; with the ranking call as the header ``Deadline-Ms``.
        max_outstanding: over all processes, see ``LoadPlan``.
        grace_seconds: see ``LoadPlan``.
    """

    url: Url
    model: str
    api: Api
    config: LoadConfig
    source: PreparedSource | RawSource | SyntheticSource
    context: tuple[str, ...] = ()
    deadline_ms: float | None = None
    max_outstanding: int = MAX_OUTSTANDING
    grace_seconds: float = 10.0

    @property
    def is_ranking(self) -> bool:
        """Whether the plain ranking call is loaded."""
        return self.api == "rank"

    def queries(self) -> QuerySource[Any]:
        """Return what makes the requests.

        Raises:
            UserError: the source cannot be used.
        """
        deadline_ms, url = self.deadline_ms, self.url
        timeout_us = None if deadline_ms is None else max(round(deadline_ms * 1000), 1)  # 0 would be none
        if self.is_ranking and deadline_ms is not None:
            url = replace(url, headers=(*url.headers, f"Deadline-Ms: {deadline_ms}"))
        path = RANK_PATH if self.is_ranking else infer_path(self.model)
        seed = self.config.seed
        if isinstance(self.source, RawSource):
            columns = self.source.columns
            rows = RawFile(self.source.path, columns, seed=seed, context=self.context)
            return HttpQueries(rows, raw_writer(self.api, columns, timeout_us=timeout_us), url, path)
        encoded: PreparedRows | SyntheticRows
        if isinstance(self.source, PreparedSource):
            dataset = Dataset.open(self.source.path)
            encoded = PreparedRows(dataset, self.source.split, seed=seed, context=self.context)
        else:
            encoded = SyntheticRows(self.source.schema, seed=seed, context=self.context)
        write = encoded_writer(self.api, encoded.schema, timeout_us=timeout_us)
        return HttpQueries(encoded, write, url, path)
