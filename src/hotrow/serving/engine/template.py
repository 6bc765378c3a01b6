"""The process that workers are forked from: it has the model loaded and warm, so a worker is there at once.

Forked workers share its memory, the networks and hash indexes too; the tables are a mapped file anyway.
It has one thread, so a fork copies all that runs.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from hotrow.errors import UserError
from hotrow.serving.engine.arena import SharedMemory
from hotrow.serving.engine.posts import Post
from hotrow.serving.engine.worker import ServedModel, work

_LOG = logging.getLogger(__name__)

Load = Callable[[Mapping[str, Any]], tuple[ServedModel, dict[str, Any]]]
"""From a configuration to a model that was run once, and what the front process must know of it."""


def template(control: socket.socket, memory: SharedMemory, load: Load, config: Mapping[str, Any]) -> None:
    """Load the model, greet, and fork a worker for every socket that comes, until ``control`` is closed.

    Args:
        control: a Unix socket of packets. The greeting is ``{"ready": facts}`` or ``{"error": message}``;
            a packet with a socket and the worker's post is answered with its process id.
        memory: shared with the front process.
        load: makes the model.
        config: what to load.
    """
    try:
        model, facts = load(config)
    except UserError as error:
        control.send(json.dumps({"error": str(error)}).encode())
        return
    control.send(json.dumps({"ready": facts}).encode())
    gc.freeze()  # or the first collection in each worker would copy all pages
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the front process sees a death by the socket's end
    while True:
        packet, descriptors, _, _ = socket.recv_fds(control, 64, 1)
        if not packet:
            return
        (descriptor,) = descriptors
        process = os.fork()
        if process == 0:
            control.close()
            _worker(socket.socket(fileno=descriptor), Post.unpack(packet), memory, model)
        os.close(descriptor)
        control.send(str(process).encode())


def _worker(channel: socket.socket, post: Post, memory: SharedMemory, model: ServedModel) -> None:
    status = 1
    try:
        if post.processor >= 0:
            os.sched_setaffinity(0, {post.processor})
        work(channel, memory.bytes, model, post.device)
        status = 0
    except BaseException:  # noqa: BLE001 - a forked process must not go on in its parent's code
        _LOG.exception("a worker ends")
    finally:
        os._exit(status)


def main() -> None:
    """Run as ``python -m hotrow.serving.engine.template CONTROL MEMORY CONFIG``, two descriptors and JSON."""
    control, memory, text = sys.argv[1:]
    config = json.loads(text)
    logging.basicConfig(
        level=config["log_level"], stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    from hotrow.serving.engine.served import load_served
    from hotrow.serving.logs import write_json

    if config["json_logs"]:
        write_json()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the front process has ended meanwhile
        template(socket.socket(fileno=int(control)), SharedMemory(int(memory)), load_served, config)


if __name__ == "__main__":
    main()
