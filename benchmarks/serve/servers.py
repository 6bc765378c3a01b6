"""Starting and stopping the servers that are compared."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 180.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def hotrow_command(artifact: Path, port: int, *options: str) -> list[str]:
    """Return the command of hotrow's server, a worker for each core."""
    return [sys.executable, "-m", "hotrow", "serve", str(artifact), "--port", str(port), *options]


def fastapi_command(port: int, workers: int) -> list[str]:
    """Return the command of the FastAPI service."""
    app = "benchmarks.serve.peers.fastapi_service:app"
    return [
        *(sys.executable, "-m", "uvicorn", app, "--port", str(port), "--workers", str(workers)),
        "--log-level=warning",
    ]


def ray_command(port: int, replicas: int) -> list[str]:
    """Return the command of the Ray Serve deployment."""
    return [sys.executable, "-m", "benchmarks.serve.peers.ray_service", str(port), str(replicas)]


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        url: its address.
        process: its process.
    """

    url: str
    process: subprocess.Popen[bytes]

    @property
    def processes(self) -> list[int]:
        """Ids of the process and of all that it has started, directly or not."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, task.read_text().split())
        return found

    @property
    def workers(self) -> list[int]:
        """Ids of a hotrow server's workers: forked processes, which have their template's command."""
        commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in self.processes}
        parents = {pid: int(_status(pid, "PPid")) for pid in commands}
        return [pid for pid, command in commands.items() if commands.get(parents[pid]) == command]

    @property
    def memory_bytes(self) -> int:
        """Memory of all its processes; shared pages count once (proportional set size)."""
        total = 0
        for pid in self.processes:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return total * 1024


@contextmanager
def running(command: Sequence[str], port: int, artifact: Path) -> Iterator[Server]:
    """Run a server until the end of the block; yield it when it is ready."""
    environment = os.environ | {"ARTIFACT": str(artifact), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/v2/health/ready", process)
        yield Server(url, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _status(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{field}:"))


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"{url} was not ready within {_PATIENCE_S:.0f} s")
