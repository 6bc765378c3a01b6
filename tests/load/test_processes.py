"""Loads from processes of their own, against a server in this one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.load.stub import Answer, Reply, Request, good, in_thread

from hotrow.data.schema import Schema
from hotrow.errors import ConfigError, InternalError, InvalidLoadError
from hotrow.load.http import parse_url
from hotrow.load.job import HttpJob, PreparedSource, SyntheticSource
from hotrow.load.processes import run_processes
from hotrow.load.query import Status
from hotrow.load.result import LoadResult
from hotrow.load.schedule import LoadConfig, make_schedule

CONFIG = LoadConfig(qps=400, seconds=0.25, sizes="normal:9,3", seed=5)


def load(
    source: PreparedSource | SyntheticSource, processes: int, answer: Answer = good
) -> tuple[LoadResult, list[Request]]:
    with in_thread(answer) as stub:
        job = HttpJob(url=parse_url(stub.url), model="m", api="binary", config=CONFIG, source=source)
        return run_processes(job, processes), stub.requests


def test_several_processes_send_exactly_what_one_does(criteo_data: Path) -> None:
    source = PreparedSource(path=criteo_data, split="test")
    one, alone = load(source, 1)
    two, together = load(source, 2)
    schedule = make_schedule(CONFIG)
    assert sorted(request.body for request in alone) == sorted(request.body for request in together)
    assert sorted(request.rows() for request in alone) == sorted(schedule.sizes.tolist())
    for result in (one, two):
        np.testing.assert_array_equal(result.scheduled_s, schedule.arrivals_s)
        np.testing.assert_array_equal(result.rows, schedule.sizes)
        assert (result.status == Status.OK).all()
        assert (result.lag_s >= 0).all()
        assert result.cpu_seconds > 0


def test_there_may_be_more_processes_than_queries(criteo_columns: Schema) -> None:
    config = replace(CONFIG, qps=1, seconds=1)
    with in_thread() as stub:
        source = SyntheticSource(schema=criteo_columns)
        job = HttpJob(url=parse_url(stub.url), model="m", api="binary", config=config, source=source)
        result = run_processes(job, 3)
    assert len(make_schedule(config)) == 1
    assert result.status.tolist() == [Status.OK]


def test_statuses_come_back(criteo_columns: Schema) -> None:
    async def answer(request: Request) -> Reply:
        rows = request.rows()
        if rows % 3 == 0:
            return Reply(503 if rows % 2 else 504)
        return await good(request) if rows % 3 == 1 else Reply(500, b'{"error": "a defect"}')

    result, _ = load(SyntheticSource(schema=criteo_columns), 2, answer)
    third, half = result.rows % 3, result.rows % 2
    expected = np.where(third == 0, np.where(half, Status.SHED, Status.EXPIRED), Status.OK)
    np.testing.assert_array_equal(result.status, np.where(third == 2, Status.FAILED, expected))
    assert result.first_failure == "BadAnswerError: HTTP 500: a defect"


def test_what_a_process_cannot_do_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidLoadError, match=r"schema.json: not found, expected a prepared data set"):
        load(PreparedSource(path=tmp_path, split="test"), 2)


def test_a_process_that_is_gone_is_told(criteo_columns: Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hotrow.load.processes.work", len)  # takes other arguments: the process ends at once
    with pytest.raises(InternalError, match="has ended without a result"):
        load(SyntheticSource(schema=criteo_columns), 1)


@pytest.mark.parametrize("processes", [0, 65])
def test_the_number_of_processes_is_bounded(criteo_columns: Schema, processes: int) -> None:
    with pytest.raises(ConfigError, match=r"--processes: got .*, expected 1 to 64"):
        load(SyntheticSource(schema=criteo_columns), processes)
