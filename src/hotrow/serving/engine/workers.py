"""Starting, watching and replacing the processes of one model."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import msgspec

from hotrow.descriptors import require_descriptors
from hotrow.errors import ArtifactError, InternalError
from hotrow.serving.engine.arena import SharedMemory
from hotrow.serving.engine.flight import Room
from hotrow.serving.engine.posts import CPU, Post
from hotrow.serving.info import ModelInfo
from hotrow.serving.limits import Limits
from hotrow.serving.logs import is_json

_LOG = logging.getLogger(__name__)
_GREETING_BYTES = 1 << 20

_COMMAND = [sys.executable, "-m", "hotrow.serving.engine.template"]
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


_NO_CUDA_YET = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""A process that has touched the device cannot be forked: whether there is one is asked otherwise."""

_LOAD_SECONDS = 3600.0
"""In which an artifact must be loaded, its checksums included: terabytes from a slow disk take longer."""
_FORK_SECONDS = 10.0
"""In which a process that has the model loaded must have forked a worker; milliseconds are usual."""


class Greeting(msgspec.Struct, frozen=True):
    """What a loaded model says of itself.

    Attributes:
        info: what the front process must know.
        overhead_ms: time of a sub-batch without rows, as measured when it was warmed.
        row_ms: that each row adds.
    """

    info: ModelInfo
    overhead_ms: float
    row_ms: float


class Starter(Protocol):
    """Makes workers of one model."""

    async def load(self) -> Greeting:
        """Load and warm the model.

        Raises:
            UserError: it cannot be loaded.
        """

    async def start(self, channel: socket.socket, post: Post) -> int | None:
        """Start a worker at the other end of ``channel`` and return its process id, None of a thread.

        The worker says itself when it is ready, as :func:`hotrow.serving.engine.worker.work` does.
        """

    def close(self) -> None:
        """Start no more of them; those that run end when their sockets are closed."""


class TemplateProcess:
    """Workers forked from a process that has the model loaded.

    Args:
        config: what ``hotrow.serving.engine.served`` loads.
        memory: shared with the workers.
    """

    def __init__(self, config: Mapping[str, Any], memory: SharedMemory) -> None:
        self._config = config
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._one_at_a_time = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._version = ""

    async def load(self) -> Greeting:
        """Start the process and wait until it has loaded the model.

        Raises:
            UserError: too many files are open.
            ArtifactError: it cannot be loaded; the message is that of the loader.
            InternalError: the process could not be started, ended, or did not answer in time.
        """
        try:
            process = self._launch()
        except OSError as error:
            require_descriptors(error)
            raise InternalError(f"the process that loads the model could not be started: {error}") from error
        greeting = await self._answer(b"", None, _LOAD_SECONDS)
        if not greeting:
            status = await asyncio.to_thread(process.wait)
            raise InternalError(f"the process that loads the model ended with {status}")
        told: dict[str, Any] = json.loads(greeting)
        if "error" in told:
            raise ArtifactError(told["error"])
        ready = msgspec.convert(told["ready"], Greeting)
        self._version = ready.info.version
        return ready

    def _launch(self) -> subprocess.Popen[bytes]:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        descriptors = (theirs.fileno(), self._memory.descriptor)
        logs: dict[str, Any] = {"log_level": _LOG.getEffectiveLevel(), "json_logs": is_json()}
        config = json.dumps({**logs, **self._config})
        with theirs:
            self._process = subprocess.Popen(
                [*_COMMAND, *map(str, descriptors), config],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the front process
                env=os.environ | dict.fromkeys(_ONE_THREAD, "1") | _NO_CUDA_YET,
            )
        return self._process

    async def start(self, channel: socket.socket, post: Post) -> int:
        """Fork a worker; a template that has ended is started again first.

        Raises:
            InternalError: that failed, the artifact is another one by now, or the template did not answer in
                time; it is ended then, so that the next call starts it again.
            ArtifactError: the artifact cannot be loaded any more.
        """
        async with self._starting:
            answer = await self._answer(post.pack(), channel, _FORK_SECONDS)
            if not answer:
                await self._start_again()
                answer = await self._answer(post.pack(), channel, _FORK_SECONDS)
        if not answer:
            raise InternalError("the process that workers are forked from has ended")
        return int(answer)

    async def _start_again(self) -> None:
        """Replace the template, which has ended; its workers, which have not, stay."""
        _LOG.warning("the process that workers are forked from has ended; it is started again")
        before = self._version
        self.close()
        if (await self.load()).info.version != before:
            self.close()
            raise InternalError("the artifact has changed meanwhile; load it again")

    def close(self) -> None:
        """End the process, without waiting until its memory, which may be gigabytes, is taken down."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            threading.Thread(target=self._process.wait, name="reaper").start()
            self._process = None

    async def _answer(self, packet: bytes, channel: socket.socket | None, seconds: float) -> bytes:
        """Send a packet and return the answer; nothing if there is no process, or it has ended.

        Raises:
            InternalError: it did not answer within ``seconds``, stopped as it may be; it is ended.
        """
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            if self._control is None:
                return b""
            try:
                if channel is not None:
                    socket.send_fds(self._control, [packet], [channel.fileno()])
                async with asyncio.timeout(seconds):
                    return await loop.sock_recv(self._control, _GREETING_BYTES)
            except (BrokenPipeError, ConnectionResetError):
                return b""
            except TimeoutError as error:
                self.close()
                raise InternalError(
                    f"the process that workers are forked from has not answered for {seconds:g} seconds"
                ) from error


def workers_of(
    artifact: Path, *, name: str | None = None, limits: Limits | None = None, device: str | None = None
) -> Callable[[Room], TemplateProcess]:
    """Return what ``Engine`` takes to start the workers of an artifact.

    Args:
        artifact: its folder.
        name: of the model; None: its registered name.
        limits: bounds on requests; None: the usual ones.
        device: that the engine will ask a worker to take the model to; None: none.
    """
    config = {
        "artifact": str(artifact),
        "name": name,
        "limits": asdict(limits or Limits()),
        "device": device or CPU,
    }
    return lambda room: TemplateProcess(config, room.memory)


def is_stopped(process: int) -> bool:
    """Tell whether a process was stopped by a signal and does not run."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state in "Tt"


def kill(process: int) -> None:
    """End a worker at once; one that has ended is left alone."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
