"""The process that workers are forked from, with a model that loops forever once."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

import msgspec
from tests.serving.engine.conftest import Controlled

from hotrow.data.raw import EncodedBlock
from hotrow.serving import Limits, RankingService
from hotrow.serving.engine.arena import SharedMemory
from hotrow.serving.engine.template import template
from hotrow.serving.engine.workers import Greeting


def load(config: Mapping[str, Any]) -> tuple[RankingService, dict[str, Any]]:
    """Return a model that never scores the rows it has first while the file ``once`` is there."""
    model, once = Controlled(), Path(config["once"])

    def loop(block: EncodedBlock) -> None:
        if once.exists():
            once.unlink()
            while True:
                pass

    model.before = loop
    service = RankingService("sums", model, Limits())
    return service, msgspec.to_builtins(Greeting(service.info, overhead_ms=0.1, row_ms=0.01))


if __name__ == "__main__":
    control, memory, text = sys.argv[1:]
    template(socket.socket(fileno=int(control)), SharedMemory(int(memory)), load, json.loads(text))
