"""The process that workers are forked from, when nobody is there any more."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

from hotrow.serving.engine.arena import SharedMemory


def test_it_ends_quietly_when_the_front_process_has_ended() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    memory = SharedMemory.create(4096)
    config: dict[str, object] = {"artifact": "none", "name": None, "limits": {}, "device": "cpu"}
    config |= {"log_level": 30, "json_logs": False}
    descriptors = (theirs.fileno(), memory.descriptor)
    with theirs:
        found = subprocess.run(
            [
                sys.executable,
                "-m",
                "hotrow.serving.engine.template",
                *map(str, descriptors),
                json.dumps(config),
            ],
            pass_fds=descriptors,
            stderr=subprocess.PIPE,
            check=False,
        )
    memory.close()
    assert (found.returncode, found.stderr.decode()) == (0, "")
