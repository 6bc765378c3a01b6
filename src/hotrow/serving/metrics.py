"""``/metrics`` for Prometheus: what is counted anyway, put into its format when it is asked for.

Requests cost nothing here. Names that Triton has are Triton's; since they do not end in ``_total``, the
library can only give them as untyped.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UnknownMetricFamily,
)

from hotrow.errors import RequestError
from hotrow.serving.front import Front
from hotrow.serving.statistics import BOUNDS, Statistics

_OF_A_MODEL = ("model", "version")


class FrontCollector:
    """Gives the counts of a server to Prometheus' library.

    Args:
        front: counts requests.
    """

    def __init__(self, front: Front) -> None:
        self._front = front

    def collect(self) -> Iterator[Metric]:
        """Return all metrics."""
        front = self._front
        yield _gauge("hotrow_ready", "Whether requests should be sent here", front.engine.state == "ready")
        yield _gauge("hotrow_shared_memory_bytes", "Shared memory in use", front.engine.memory_taken)
        try:
            labels = (front.info.name, front.info.version)
        except RequestError:  # nothing is loaded
            return
        yield from _tritons(front.statistics, labels, executions=front.engine.executions)
        yield from self._gauges(labels)
        yield _latencies(front.statistics, labels)

    def _gauges(self, labels: tuple[str, str]) -> Iterator[Metric]:
        gauges = self._front.gauges()
        pending = "Requests that are not answered yet"
        yield _gauge("nv_inference_pending_request_count", pending, gauges.in_flight, labels)
        yield _gauge("hotrow_waiting_rows", "Rows whose work was not begun", gauges.waiting_rows, labels)
        yield _gauge("hotrow_workers", "Worker processes that run on the CPU", gauges.workers, labels)
        yield _gauge("hotrow_device_workers", "Worker processes that run on a device", gauges.devices, labels)
        yield _gauge("hotrow_batch_size", "Rows of a sub-batch at most", gauges.batch_size, labels)
        if gauges.offload_threshold is not None:
            text = "Rows from which on a query goes to the accelerator"
            yield _gauge("hotrow_offload_threshold", text, gauges.offload_threshold, labels)
        restarts = CounterMetricFamily(
            "hotrow_worker_restarts", "Workers that ended and were replaced", labels=_OF_A_MODEL
        )
        restarts.add_metric(labels, gauges.restarts)
        yield restarts


def exposition(front: Front) -> bytes:
    """Return all metrics of a server as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FrontCollector(front))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _tritons(statistics: Statistics, labels: tuple[str, str], *, executions: int) -> Iterator[Metric]:
    counts = {
        "nv_inference_request_success": ("Requests that were answered", statistics.success.count),
        "nv_inference_count": ("Rows that were scored", statistics.rows),
        "nv_inference_exec_count": ("Sub-batches that were scored", executions),
        "nv_inference_request_duration_us": ("Time of requests", _us(statistics.success.seconds)),
        "nv_inference_queue_duration_us": ("Time until work on them began", _us(statistics.queue.seconds)),
        "nv_inference_compute_infer_duration_us": ("Work of workers", _us(statistics.compute.seconds)),
    }
    for name, (text, value) in counts.items():
        found = UnknownMetricFamily(name, text, labels=_OF_A_MODEL)
        found.add_metric(labels, value)
        yield found
    failed = UnknownMetricFamily(
        "nv_inference_request_failure", "Requests that were not answered", labels=(*_OF_A_MODEL, "reason")
    )
    for reason, spent in statistics.fail.items():
        failed.add_metric((*labels, reason), spent.count)
    yield failed


def _latencies(statistics: Statistics, labels: tuple[str, str]) -> Metric:
    buckets, passed = [], 0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), statistics.latencies, strict=True):
        passed += count
        buckets.append((bound, passed))
    found = HistogramMetricFamily(
        "hotrow_request_seconds", "Time of requests that were answered", labels=_OF_A_MODEL
    )
    found.add_metric(labels, buckets, statistics.success.seconds)
    return found


def _gauge(name: str, text: str, value: float, labels: tuple[str, str] | None = None) -> Metric:
    if labels is None:
        return GaugeMetricFamily(name, text, value=value)
    found = GaugeMetricFamily(name, text, labels=_OF_A_MODEL)
    found.add_metric(labels, value)
    return found


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
