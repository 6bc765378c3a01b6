"""The engine with worker processes and a real artifact, under kills."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.engine.conftest import encoded

from hotrow.artifact import Artifact, load_artifact
from hotrow.artifact._checksums import write_checksums
from hotrow.data.raw import EncodedBlock
from hotrow.errors import ArtifactError, InternalError, RequestError, UserError
from hotrow.serving import Engine, EngineConfig
from hotrow.serving.engine import crew, workers
from hotrow.serving.engine.workers import workers_of

PATIENCE = 60
ROWS = 40


@pytest.fixture(scope="module")
def artifact(run_folder: Path) -> Artifact:
    return load_artifact(run_folder)


@pytest.fixture(scope="module")
def blocks(artifact: Artifact) -> list[EncodedBlock]:
    """Return queries of random rows."""
    rng = np.random.default_rng(0)
    rows = [feature.rows for feature in artifact.schema.categorical]
    return [
        EncodedBlock(
            rng.random((ROWS, len(artifact.schema.dense)), dtype=np.float32),
            (rng.random((ROWS, len(rows))) * rows).astype(np.int32),
            None,
        )
        for _ in range(8)
    ]


def run(folder: Path, scenario: Callable[[Engine], Awaitable[Any]], **config: Any) -> Any:
    async def whole() -> Any:
        engine = Engine(workers_of(folder), EngineConfig(**{"workers": 2, "batch_size": 8, **config}))
        await engine.start()
        try:
            async with asyncio.timeout(PATIENCE):
                return await scenario(engine)
        finally:
            await engine.close()

    return asyncio.run(whole())


async def _keep_asking(engine: Engine, blocks: list[EncodedBlock], meanwhile: Awaitable[Any]) -> int:
    """Score queries, always three at a time, until ``meanwhile`` is done; all answers must be right."""
    expected = [(await engine.score(block)).values for block in blocks]
    done = asyncio.ensure_future(meanwhile)
    answered = 0

    async def ask(number: int) -> None:
        nonlocal answered
        while not done.done():
            found = await engine.score(blocks[number])
            np.testing.assert_array_equal(found.values, expected[number])
            answered += 1
            number = (number + 1) % len(blocks)

    await asyncio.gather(*map(ask, range(3)))
    await done
    return answered


def _replaced(engine: Engine, count: int) -> bool:
    return engine.crew.restarts == count and engine.crew.size == 2


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_scores_are_those_of_the_artifact(artifact: Artifact, blocks: list[EncodedBlock]) -> None:
    async def scenario(engine: Engine) -> list[Any]:
        return await asyncio.gather(*map(engine.score, blocks))

    for block, found in zip(blocks, run(artifact.path, scenario), strict=True):
        np.testing.assert_array_equal(found.values, artifact.score_encoded(block))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_workers_may_die_or_stop_under_load(
    artifact: Artifact, blocks: list[EncodedBlock], number: signal.Signals
) -> None:
    async def scenario(engine: Engine) -> int:
        async def harm() -> None:
            for round_number in range(4):
                os.kill(engine.crew.processes[round_number % 2], number)
                await _until(partial(_replaced, engine, round_number + 1))

        return await _keep_asking(engine, blocks, harm())

    assert run(artifact.path, scenario) > 0


def test_a_worker_that_loops_forever_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_COMMAND", [sys.executable, str(Path(__file__).with_name("looping.py"))])
    (once := tmp_path / "once").touch()
    config = {"once": str(once)}

    async def scenario() -> Any:
        settings = EngineConfig(workers=1, hang_seconds=0.3)
        engine = Engine(lambda room: workers.TemplateProcess(config, room.memory), settings)
        await engine.start()
        try:
            async with asyncio.timeout(PATIENCE):
                (before,) = engine.crew.processes
                found = await engine.score(encoded(np.arange(5)))
                assert engine.crew.restarts == 1
                assert engine.crew.processes != [before]
                await _until(lambda: not Path(f"/proc/{before}").exists())
                return found
        finally:
            await engine.close()

    np.testing.assert_array_equal(asyncio.run(scenario()).values[:, 0], np.arange(5))
    assert not once.exists()


def test_the_process_that_workers_are_forked_from_may_die(
    artifact: Artifact, blocks: list[EncodedBlock]
) -> None:
    async def scenario(engine: Engine) -> int:
        async def harm() -> None:
            os.kill(_parent(engine.crew.processes[0]), signal.SIGKILL)
            os.kill(engine.crew.processes[0], signal.SIGKILL)
            await _until(partial(_replaced, engine, 1))

        return await _keep_asking(engine, blocks, harm())

    assert run(artifact.path, scenario) > 0


def test_the_process_that_workers_are_forked_from_may_be_stopped(
    artifact: Artifact, blocks: list[EncodedBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "_RESTART_SECONDS", 0.0)

    async def scenario(engine: Engine) -> Any:
        before = (await engine.score(blocks[0])).values
        (process,) = engine.crew.processes
        template = _parent(process)
        os.kill(template, signal.SIGSTOP)
        with monkeypatch.context() as patched:
            patched.setattr(workers, "_FORK_SECONDS", 0.0)
            os.kill(process, signal.SIGKILL)
            await _until(lambda: engine.state == "without workers")
            with pytest.raises(RequestError, match="no worker runs"):
                await engine.score(blocks[0])
        await _until(lambda: engine.state == "ready")
        assert not Path(f"/proc/{template}").exists()
        return before, (await engine.score(blocks[0])).values

    before, after = run(artifact.path, scenario, workers=1)
    np.testing.assert_array_equal(before, after)


def test_an_artifact_that_is_never_loaded_is_given_up(
    artifact: Artifact, blocks: list[EncodedBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(engine: Engine) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(workers, "_LOAD_SECONDS", 0.0)
            with pytest.raises(InternalError, match="has not answered for 0 seconds"):
                await engine.load()
        return await engine.score(blocks[0])

    np.testing.assert_array_equal(run(artifact.path, scenario).values, artifact.score_encoded(blocks[0]))


def test_workers_come_back_when_an_artifact_that_was_changed_does(
    artifact: Artifact, blocks: list[EncodedBlock], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "_RESTART_SECONDS", 0.0)
    folder, kept = tmp_path / "model", tmp_path / "kept"
    shutil.copytree(artifact.path, folder)

    async def scenario(engine: Engine) -> Any:
        before = (await engine.score(blocks[0])).values
        folder.rename(kept)
        shutil.copytree(artifact.path, folder)
        manifest = json.loads((folder / "model.json").read_text())
        manifest["metrics"]["note"] = 1
        (folder / "model.json").write_text(json.dumps(manifest))
        write_checksums(folder)
        (process,) = engine.crew.processes
        os.kill(_parent(process), signal.SIGKILL)
        os.kill(process, signal.SIGKILL)
        await _until(lambda: engine.state == "without workers")
        with pytest.raises(RequestError, match="no worker runs"):
            await engine.score(blocks[0])
        shutil.rmtree(folder)
        kept.rename(folder)
        await _until(lambda: engine.state == "ready")
        return before, (await engine.score(blocks[0])).values

    before, after = run(folder, scenario, workers=1)
    np.testing.assert_array_equal(before, after)


def _parent(process: int) -> int:
    parent = int(Path(f"/proc/{process}/stat").read_text().split()[3])
    assert b"template" in Path(f"/proc/{parent}/cmdline").read_bytes()
    return parent


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (OSError(12, "Cannot allocate memory"), InternalError, "could not be started: .*allocate"),
        (
            OSError(24, "Too many open files"),
            UserError,
            r"too many open files .*; raise the limit \(ulimit -n\)",
        ),
    ],
)
def test_a_process_that_cannot_be_started_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, kind: type[Exception], message: str
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    async def scenario(engine: Engine) -> None:
        raise AssertionError("it was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(kind, match=message):
        run(tmp_path, scenario)


def test_nobody_waits_while_the_memory_of_a_process_is_taken_down(
    artifact: Artifact, blocks: list[EncodedBlock], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[threading.Thread] = []

    class Process(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            waiting.append(threading.current_thread())
            return super().wait(timeout)

    monkeypatch.setattr(subprocess, "Popen", Process)
    run(artifact.path, lambda engine: engine.score(blocks[0]))
    (thread,) = waiting
    assert thread is not threading.current_thread()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_another_artifact_takes_over_under_load(
    artifact: Artifact, blocks: list[EncodedBlock], tmp_path: Path
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        shutil.copytree(artifact.path, folder)
    (bad / "model.json").write_text("{}")

    async def scenario(engine: Engine) -> int:
        async def change() -> None:
            with pytest.raises(ArtifactError, match=r"model\.json"):
                await engine.load(workers_of(bad, name="other"))
            assert engine.info.name == artifact.name
            await engine.load(workers_of(good, name="other"))
            assert engine.info.name == "other"

        return await _keep_asking(engine, blocks, change())

    assert run(artifact.path, scenario) > 0


def test_workers_end_with_their_front_process(artifact: Artifact, blocks: list[EncodedBlock]) -> None:
    async def scenario(engine: Engine) -> list[int]:
        await engine.score(blocks[0])
        return engine.crew.processes

    processes = run(artifact.path, scenario)
    assert len(processes) == 2

    async def gone() -> None:
        async with asyncio.timeout(PATIENCE):
            await _until(lambda: not any(Path(f"/proc/{process}").exists() for process in processes))

    asyncio.run(gone())


def test_an_artifact_that_cannot_be_loaded_is_told(artifact: Artifact, tmp_path: Path) -> None:
    shutil.copytree(artifact.path, tmp_path / "model")
    (tmp_path / "model" / "dense.safetensors").write_bytes(b"x")

    async def scenario(engine: Engine) -> None:
        raise AssertionError("it was loaded")

    with pytest.raises(ArtifactError, match=r"dense\.safetensors"):
        run(tmp_path / "model", scenario)
