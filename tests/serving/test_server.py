"""The server as a process of its own, on the loopback interface."""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from hotrow.artifact._checksums import write_checksums
from hotrow.errors import ConfigError
from hotrow.serving import ServerConfig
from hotrow.serving.sockets import listen, url_of

READY = re.compile(r"serving (\S+) at (http://\S+)(?: and by gRPC at (\S+))? ")
PATIENCE = 120
"""Seconds after which a test gives up; nothing is expected to take long."""


def repeat_until(condition: Callable[[], bool]) -> None:
    assert any(condition() for _ in range(100_000)), "it never happened"


def accepts(url: httpx.URL) -> bool:
    try:
        socket.create_connection((url.host, url.port), timeout=PATIENCE).close()
    except ConnectionError:
        return False
    return True


INFO = "INFO hotrow.serving.server: "


class Process:
    """``hotrow serve`` with its standard error read line by line."""

    def __init__(self, *words: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hotrow", "serve", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def line(self) -> str:
        assert self.process.stderr is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stderr, selectors.EVENT_READ)
            assert selector.select(timeout=PATIENCE), "nothing was printed"
        return self.process.stderr.readline().decode()

    def wait_until_ready(self) -> re.Match[str]:
        assert self.line() == f"{INFO}loading the model\n"
        line = self.line()
        found = READY.match(line)
        assert found is not None, line
        return found

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out.decode(), err.decode()


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Return a function that starts a server; what still runs at the end is killed."""
    started: list[Process] = []

    def make(*words: object) -> Process:
        started.append(Process(*words))
        return started[-1]

    yield make
    for server in started:
        server.process.kill()
        server.process.communicate()


def test_it_serves_until_sigterm_and_ends_with_status_0(
    start: Callable[..., Process], run_folder: Path, infer_body: Callable[..., dict[str, Any]]
) -> None:
    server = start(run_folder, "--port", 0, "--grpc-port", 0, "--name", "ads", "--drain-s", 3600)
    name, url, grpc_address = server.wait_until_ready().groups()
    assert name == "ads"
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        assert client.get("/v2/health/ready").json() == {"ready": True}
        answer = client.post("/v2/models/ads/infer", json=infer_body(3))
        assert answer.status_code == 200
        assert answer.json()["outputs"][0]["shape"] == [3]
        ranking = client.post("/v1/rank", json={"context": {"I1": 3}, "candidates": [{"C1": "a"}, {}]})
        assert sorted(entry["index"] for entry in ranking.json()["ranking"]) == [0, 1]

        with grpc.insecure_channel(grpc_address) as channel:
            live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
            assert live(b"", timeout=PATIENCE) == b"\x08\x01"

        server.process.send_signal(signal.SIGTERM)
        repeat_until(lambda: client.get("/v2/health/ready").status_code == 503)
        assert client.get("/v2/health/ready").json() == {"ready": False, "error": "the server is draining"}
        assert client.post("/v2/models/ads/infer", json=infer_body(1)).status_code == 200
        server.process.send_signal(signal.SIGTERM)  # the second one does not wait
    drained = f"{INFO}draining: not ready from now on, ending in 3600 s\n"
    assert server.end() == (0, "", f"{drained}{INFO}ended at once, as told twice\n")


def test_what_was_begun_is_answered_after_sigterm(start: Callable[..., Process], run_folder: Path) -> None:
    server = start(run_folder, "--port", 0, "--drain-s", 0)
    url = httpx.URL(server.wait_until_ready()[2])
    body = b'{"candidates": [{}]}'
    with socket.create_connection((url.host, url.port), timeout=PATIENCE) as connection:
        head = f"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:5])
        with httpx.Client(base_url=str(url), timeout=PATIENCE) as client:  # the half request was read
            assert client.get("/v2/health/live").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        repeat_until(lambda: not accepts(url))
        connection.sendall(body[5:])
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"ranking":[{"index":0,' in answer
    assert server.end()[0] == 0


def test_sighup_changes_to_another_artifact(
    start: Callable[..., Process], run_folder: Path, tmp_path: Path
) -> None:
    served = tmp_path / "model"
    shutil.copytree(run_folder / "model", served)
    server = start(tmp_path, "--port", 0, "--grpc-port", 0, "--workers", 1)
    url = server.wait_until_ready()[2]
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        name = "dlrm"
        before = client.get(f"/v2/models/{name}").json()["versions"]
        manifest = json.loads((served / "model.json").read_text())
        manifest["metrics"]["note"] = 1
        (served / "model.json").write_text(json.dumps(manifest))
        server.process.send_signal(signal.SIGHUP)
        assert server.line() == f"{INFO}loading the model again\n"
        assert server.line().startswith("ERROR hotrow.serving.server: the artifact is not changed to: ")
        (served / "checksums.json").unlink()
        write_checksums(served)
        server.process.send_signal(signal.SIGHUP)
        assert server.line() == f"{INFO}loading the model again\n"
        assert server.line().startswith(f"{INFO}serving version ")
        after = client.get(f"/v2/models/{name}").json()["versions"]
        assert after != before
        assert client.post("/v1/rank", json={"candidates": [{}]}).status_code == 200
        server.process.send_signal(signal.SIGINT)
    assert server.end()[0] == 130


def test_ctrl_c_ends_with_status_130(start: Callable[..., Process], run_folder: Path) -> None:
    server = start(run_folder, "--port", 0, "--drain-s", 3600)
    server.wait_until_ready()
    server.process.send_signal(signal.SIGINT)
    ended = f"{INFO}ending: what was begun is answered\n{INFO}ended\n"
    assert server.end() == (130, "", f"{ended}interrupted\n")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_it_starts_when_nobody_can_be_told(run_folder: Path, redirection: str) -> None:
    words = [str(run_folder), "--port", "0", "--workers", "1", "--drain-s", "0", "--json"]
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "hotrow", "serve", *words],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        served = json.loads(process.stdout.readline())
        with httpx.Client(base_url=served["url"], timeout=PATIENCE) as client:
            assert client.post("/v1/rank", json={"candidates": [{}]}).status_code == 200
        process.terminate()
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0


def test_an_altered_model_ends_with_status_2(
    start: Callable[..., Process], run_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(run_folder / "model", tmp_path / "model")
    with (tmp_path / "model" / "tables.safetensors").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"!")
    status, out, err = start(tmp_path, "--port", 0).end()
    assert (status, out) == (2, "")
    loading, error = err.splitlines()
    assert loading == f"{INFO}loading the model"
    assert re.fullmatch(r"error: \S+tables\.safetensors: its content does not match its checksum; .*", error)


def test_a_port_in_use_is_told_before_a_model_is_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port: got {port}, expected a free port on 127.0.0.1"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid", "a" * 300])
def test_a_host_that_is_not_this_machine_is_told(host: str) -> None:
    with pytest.raises(ConfigError, match="host"):
        listen(host, 0)


def test_addresses_of_both_families_are_written_as_urls() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", -1),
        ("grpc_port", 65536),
        ("port", 65536),
        ("drain_seconds", -0.1),
        ("drain_seconds", float("nan")),
    ],
)
def test_bad_settings_are_told(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field):
        ServerConfig(**{field: value})  # type: ignore[arg-type]
