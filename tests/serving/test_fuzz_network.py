"""Nearly correct requests and plain noise over the network: no crash, nothing told of the inside."""

from __future__ import annotations

import logging
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from tests.serving.fuzzing import PATIENCE, Fuzzer, Seen, fuzz_http, fuzz_sockets
from tests.serving.listening import Listening

from hotrow.serving import Limits, RankingService, ServerConfig
from hotrow.serving.rpc.messages import SERVICE, message

DEFECTS = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE}
GROWTH_MIB = 48
"""How much larger the processes may become; a leak of 1 KiB for each request would be twice as much."""


def fuzz_rpc(fuzzer: Fuzzer, target: str, count: int, seen: Seen) -> None:
    with grpc.insecure_channel(target) as channel:
        for _ in range(count):
            name, sent = fuzzer.rpc(message)
            try:
                channel.unary_unary(f"/{SERVICE}/{name}")(sent, timeout=PATIENCE)
            except grpc.RpcError as error:
                code, text = error.code(), error.details().encode()
            else:
                code, text = grpc.StatusCode.OK, b""
            seen.answered(code, text, sent, allowed=code not in DEFECTS)


def fuzz(fuzzer: Fuzzer, count: int, url: str, target: str) -> Seen:
    """Send ``count`` requests in three ways."""
    parsed = httpx.URL(url)
    address = (parsed.host, parsed.port or 0)
    seen = Seen()
    fuzz_http(fuzzer, address, count * 7 // 10, seen)
    fuzz_sockets(fuzzer, address, count * 15 // 100, seen)
    fuzz_rpc(fuzzer, target, count - count * 7 // 10 - count * 15 // 100, seen)
    assert sum(seen.statuses.values()) == count
    assert seen.wrong == []
    return seen


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_requests(scorer: Any, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(max_body_bytes=50_000, max_rows=64)
    config = ServerConfig(port=0, grpc_port=0, limits=limits)
    with Listening(lambda: RankingService("sums", scorer, limits), config).running() as server:
        seen = fuzz(Fuzzer(seed, "sums", [9] * 26, 13), 1000, server.url, server.grpc)
        assert httpx.get(server.url + "/v2/health/ready", timeout=PATIENCE).status_code == 200
        assert server.engine.memory_taken == 0
        assert server.front.statistics.fail["BACKEND"].count == 0
    assert min(seen.statuses[200], seen.statuses[400], seen.statuses[grpc.StatusCode.OK]) > 20
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


DRAINED = (
    "INFO hotrow.serving.server: draining: not ready from now on, ending in 1 s\n"
    "INFO hotrow.serving.server: ended\n"
)


@pytest.mark.slow
def test_a_hundred_thousand_requests(run_folder: Path) -> None:
    words = ["serve", run_folder, "--port", 0, "--grpc-port", 0, "--name", "m", "--workers", 2]
    process = subprocess.Popen(
        [sys.executable, "-m", "hotrow", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline().endswith(": loading the model\n")
        found = re.match(r"serving m at (\S+) and by gRPC at (\S+)", process.stderr.readline())
        assert found is not None
        rows = httpx.get(found[1] + "/v2/models/m", timeout=PATIENCE).json()["parameters"]["table_rows"]
        fuzzer = Fuzzer(0, "m", [int(count) for count in rows.split(",")], 13)
        fuzz(fuzzer, 10_000, found[1], found[2])
        before = resident_mib(process.pid)
        fuzz(fuzzer, 90_000, found[1], found[2])
        after = resident_mib(process.pid)
        assert httpx.get(found[1] + "/v2/health/ready", timeout=PATIENCE).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == DRAINED
    finally:
        process.kill()
        process.communicate()
    assert before.keys() == after.keys(), "a worker was replaced"
    grown = {pid: after[pid] - before[pid] for pid in before if after[pid] - before[pid] > GROWTH_MIB}
    assert grown == {}


def resident_mib(process: int) -> dict[int, float]:
    """Return the memory of a process and all below it, by process id."""
    found = {process: int(_status(process, "VmRSS").split()[0]) / 1024}
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    for child in map(int, children):
        found |= resident_mib(child)
    return found


def _status(process: int, name: str) -> str:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(line.partition(":")[2] for line in lines if line.startswith(name))
