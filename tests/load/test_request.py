from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import WriteDataset
from tests.load.stub import Reply, Request, Stub, described, in_thread

from hotrow.data.schema import Schema
from hotrow.errors import ConfigError, MissingFileError, SchemaMismatchError
from hotrow.load.job import HttpJob, PreparedSource, RawSource, SyntheticSource
from hotrow.load.request import LoadRequest, make_job
from hotrow.load.schedule import LoadConfig

ROWS = [7 + n for n in range(1, 27)]


async def telling(request: Request) -> Reply:
    """Answer as a server that tells its tables' sizes."""
    return described(request, table_rows=",".join(map(str, ROWS)))


async def listing(request: Request) -> Reply:
    """Answer as the server of a model with a list feature."""
    inputs = [{"name": "list.h", "shape": [-1]}]
    metadata = {"name": "m", "inputs": inputs, "parameters": {"table_rows": "50"}}
    return described(request) if request.path.endswith("index") else Reply(body=json.dumps(metadata).encode())


@pytest.fixture
def stub() -> Iterator[Stub]:
    """Return a server of a model with Criteo's columns."""
    with in_thread() as running:
        yield running


def job(stub: Stub, **fields: Any) -> HttpJob:
    return make_job(LoadRequest(url=stub.url, **fields), LoadConfig(qps=1.0))


def test_a_data_set_gives_encoded_rows(stub: Stub, criteo_data: Path) -> None:
    made = job(stub, data=criteo_data, deadline_ms=20)
    assert made.source == PreparedSource(path=criteo_data, split="test")
    assert (made.api, made.model, made.is_ranking) == ("binary", "m", False)
    head, header, *_ = made.queries().content(0, 3)
    assert bytes(head).startswith(b"POST /v2/models/m/infer HTTP/1.1\r\n")
    assert b'"timeout":20000' in header
    assert job(stub, data=criteo_data, api="json").api == "json"
    assert b'"timeout":1}' in job(stub, data=criteo_data, deadline_ms=1e-4).queries().content(0, 3)[1]


def test_a_log_gives_raw_rows(stub: Stub, criteo_log: Path) -> None:
    made = job(stub, data=criteo_log)
    assert isinstance(made.source, RawSource)
    assert (made.api, made.is_ranking) == ("rank", True)
    assert bytes(made.queries().content(0, 3)[0]).startswith(b"POST /v1/rank HTTP/1.1\r\n")
    head, body = job(stub, data=criteo_log, deadline_ms=2.5, headers=("A: b",)).queries().content(0, 3)
    assert b"\r\nA: b\r\nDeadline-Ms: 2.5\r\n" in head
    assert b"timeout" not in body
    tensors = job(stub, data=criteo_log, api="json", context=("I1",)).queries().content(0, 3)
    assert b'"name":"categorical","datatype":"BYTES","shape":[3,26]' in tensors[1]


def test_a_run_gives_table_sizes(stub: Stub, criteo_run: Path, criteo_columns: Schema) -> None:
    made = job(stub, data=criteo_run)
    assert made.source == SyntheticSource(schema=criteo_columns)
    assert made.api == "binary"


def test_so_may_the_server() -> None:
    with in_thread(telling) as stub:
        made = job(stub)
    assert isinstance(made.source, SyntheticSource)
    assert made.source.schema.rows == tuple(ROWS)
    assert len(made.source.schema.dense) == 13


def test_lists_need_data() -> None:
    message = "the server does not tell how long its model's lists are"
    with in_thread(listing) as stub, pytest.raises(ConfigError, match=message):
        job(stub)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"api": "grpc"}, "--api: got 'grpc', expected auto, binary, json, rank"),
        ({"deadline_ms": 0}, "--deadline-ms: got 0, expected more than 0"),
        ({"max_outstanding": 0}, "--max-outstanding: got 0, expected at least 1"),
        ({"grace_seconds": -1}, "--grace-s: got -1, expected 0 to 600"),
        ({}, "--data: missing, expected a data set, a run or a file of raw rows: the server does not tell"),
    ],
)
def test_settings_that_cannot_be(stub: Stub, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        job(stub, **fields)


def test_rows_and_calls_that_do_not_go_together(stub: Stub, criteo_data: Path, criteo_log: Path) -> None:
    with pytest.raises(ConfigError, match=r"got .rank., expected binary or json: candidates .*encoded"):
        job(stub, data=criteo_data, api="rank")
    with pytest.raises(ConfigError, match=r"got 'binary', expected rank or json: candidates of .*are raw"):
        job(stub, data=criteo_log, api="binary")


def test_data_that_do_not_fit(stub: Stub, tmp_path: Path, write_dataset: WriteDataset) -> None:
    with pytest.raises(SchemaMismatchError, match=r"columns I1, I2, I3, C1, .*model m takes I1, I2, I3, I4"):
        job(stub, data=write_dataset(tmp_path / "other"))
    with pytest.raises(MissingFileError, match="none: not found, expected a prepared data set, a run"):
        job(stub, data=tmp_path / "none")
