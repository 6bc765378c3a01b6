"""From what a user asks for to a load over HTTP: where candidates come from, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from hotrow.data.dataset import SCHEMA_FILE, Dataset
from hotrow.data.schema import CategoricalFeature, DenseFeature, Schema
from hotrow.errors import ConfigError, MissingFileError, SchemaMismatchError
from hotrow.load.generator import MAX_OUTSTANDING
from hotrow.load.http import ServedModel, describe, parse_url
from hotrow.load.http.bodies import Api
from hotrow.load.job import HttpJob, PreparedSource, RawSource, SyntheticSource
from hotrow.load.schedule import LoadConfig, make_schedule


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """What ``hotrow load`` is asked for, but for the schedule.

    Attributes:
        url: of the server.
        model: its name; None: the server's only one.
        api: how queries are written; ``auto``: ``binary`` for encoded rows, ``rank`` for raw ones.
        data: a prepared data set, a run or its artifact, a file of raw rows, or None.
        split: of the data set.
        context: features that all candidates of a query share.
        headers: further ones of HTTP.
        deadline_ms: passed on to the server, or None.
        max_outstanding, grace_seconds: see ``LoadPlan``.
    """

    url: str
    model: str | None = None
    api: Api | Literal["auto"] = "auto"
    data: Path | None = None
    split: str = "test"
    context: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    deadline_ms: float | None = None
    max_outstanding: int = MAX_OUTSTANDING
    grace_seconds: float = 10.0

    def __post_init__(self) -> None:
        if self.api not in ("auto", *get_args(Api)):
            raise ConfigError("--api", self.api, f"auto, {', '.join(get_args(Api))}")
        if self.deadline_ms is not None and not 0 < self.deadline_ms <= 3_600_000:
            raise ConfigError("--deadline-ms", self.deadline_ms, "more than 0, at most an hour")
        if self.max_outstanding < 1:
            raise ConfigError("--max-outstanding", self.max_outstanding, "at least 1")
        if not 0 <= self.grace_seconds <= 600:
            raise ConfigError("--grace-s", self.grace_seconds, "0 to 600")


def make_job(request: LoadRequest, config: LoadConfig) -> HttpJob:
    """Ask the server what its model takes, and find the candidates.

    Raises:
        ConfigError: no such server or model, or settings that do not go together.
        SchemaMismatchError: the data set has other features than the model.
        MissingFileError: there are no such data.
    """
    make_schedule(config)  # its mistakes are told before the server is asked
    url = parse_url(request.url, request.headers)
    served = describe(url, request.model)
    source = _source(request, served)
    is_raw = isinstance(source, RawSource)
    allowed: tuple[Api, Api] = ("rank", "json") if is_raw else ("binary", "json")
    api = allowed[0] if request.api == "auto" else request.api
    if api not in allowed:
        kind = "raw" if is_raw else "encoded"
        raise ConfigError("--api", api, f"{' or '.join(allowed)}: candidates of {request.data} are {kind}")
    return HttpJob(
        url=url,
        model=served.name,
        api=api,
        config=config,
        source=source,
        context=request.context,
        deadline_ms=request.deadline_ms,
        max_outstanding=request.max_outstanding,
        grace_seconds=request.grace_seconds,
    )


def _source(request: LoadRequest, served: ServedModel) -> PreparedSource | RawSource | SyntheticSource:
    path = request.data
    if path is None:
        return SyntheticSource(schema=_told_schema(served))
    if path.is_file():
        return RawSource(path=path, columns=served.columns)
    if (path / SCHEMA_FILE).is_file():
        _require_same_columns(path, Dataset.open(path).schema, served)
        return PreparedSource(path=path, split=request.split)
    schema = _schema_of_run(path)
    _require_same_columns(path, schema, served)
    return SyntheticSource(schema=schema)


def _schema_of_run(path: Path) -> Schema:
    from hotrow.artifact import find_artifact  # brings PyTorch
    from hotrow.artifact.manifest import MANIFEST, read_manifest

    try:
        folder = find_artifact(path)
    except MissingFileError as error:
        raise MissingFileError(path, "a prepared data set, a run, or a file of raw rows") from error
    return Schema.from_mapping(read_manifest(folder).schema, where=f"{folder / MANIFEST}: schema")


def _told_schema(served: ServedModel) -> Schema:
    """Return a schema with the table sizes that the server tells."""
    columns, rows = served.columns, served.table_rows
    if columns.lists or rows is None or len(rows) != len(columns.categorical):
        untold = "how long its model's lists are" if columns.lists else "its model's table sizes"
        raise ConfigError(
            "--data", None, f"a data set, a run or a file of raw rows: the server does not tell {untold}"
        )
    return Schema(
        format="",
        label="",
        dense=tuple(DenseFeature(name=name) for name in columns.dense),
        categorical=tuple(
            CategoricalFeature(name=name, rows=size)
            for name, size in zip(columns.categorical, rows, strict=True)
        ),
    )


def _require_same_columns(path: Path, schema: Schema, served: ServedModel) -> None:
    """Check that a data set has the model's features, where the server names them."""
    if served.columns.names and schema.columns != served.columns.names:
        raise SchemaMismatchError(
            f"{path} has columns {', '.join(schema.columns)}, "
            f"model {served.name} takes {', '.join(served.columns.names)}"
        )
