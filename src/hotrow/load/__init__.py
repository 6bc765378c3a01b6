"""Open-loop load: queries on schedule, latencies from the scheduled arrival, a generator that tells its lag.

In one process, against anything that answers queries::

    schedule = make_schedule(LoadConfig(qps=500, seconds=20, sizes="mlperf", seed=1))
    plan = LoadPlan(schedule=schedule, queries=PreparedRows(dataset, "test", seed=1))
    result = await run_load(send, plan)       # send(query) -> Status, query.content an EncodedBlock
    report = make_report(result, sla_ms=30)   # InvalidLoadError if the generator lagged

``measure_trial`` and ``measure_burst`` answer the trials of ``hotrow.scheduling``'s searches.
``run_processes`` loads a server over HTTP from processes of their own; ``hotrow load`` is its command.
"""

from hotrow.load.burst import measure_burst
from hotrow.load.generator import LoadPlan, run_load
from hotrow.load.prepared_rows import PreparedRows
from hotrow.load.query import LoadQuery, QuerySource, RawRows, Status
from hotrow.load.report import LagReport, LoadReport, make_report
from hotrow.load.result import LoadResult
from hotrow.load.schedule import LoadConfig, Schedule, make_schedule
from hotrow.load.synthetic_rows import SyntheticRows
from hotrow.load.trial import TrialLoad, measure_trial
from hotrow.load.validity import require_valid

__all__ = [
    "LagReport",
    "LoadConfig",
    "LoadPlan",
    "LoadQuery",
    "LoadReport",
    "LoadResult",
    "PreparedRows",
    "QuerySource",
    "RawRows",
    "Schedule",
    "Status",
    "SyntheticRows",
    "TrialLoad",
    "make_report",
    "make_schedule",
    "measure_burst",
    "measure_trial",
    "require_valid",
    "run_load",
]
