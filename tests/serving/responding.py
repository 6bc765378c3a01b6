"""A request answered in one go, without an engine."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from hotrow.serving import RankingService
from hotrow.serving.answers import Wanted, answer
from hotrow.serving.engine.messages import Body


def respond(service: RankingService, body: bytes, kind: Body) -> Any:
    """Return the answer to a request of JSON.

    Raises:
        RequestError: the request cannot be answered as it is.
    """
    block, wanted = service.decode(body, kind, -1)
    wants = msgspec.json.decode(wanted, type=Wanted)
    return json.loads(answer(wants, service.score(block), service.info).body)
