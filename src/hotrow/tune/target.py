"""What queries are sent to while tuning: an engine's workers and its device, or a modelled accelerator."""

from __future__ import annotations

import asyncio

from hotrow.data.raw import EncodedBlock
from hotrow.errors import RequestError
from hotrow.load import LoadQuery, Status
from hotrow.scheduling.accelerator import LatencyTable
from hotrow.scheduling.knobs import Knobs
from hotrow.serving import Engine

_STATUSES = {503: Status.SHED, 504: Status.EXPIRED}


class Target:
    """Sends queries where the knobs say.

    Args:
        engine: with its model loaded.
        accelerator: modelled: one query at a time takes as long as the table says, and nothing is computed.
    """

    def __init__(self, engine: Engine, accelerator: LatencyTable | None = None) -> None:
        self._engine = engine
        self._table = accelerator
        self._free_at = 0.0
        self._knobs = Knobs(engine.batch_size)

    def set(self, knobs: Knobs) -> None:
        """Set batch size and offload threshold for the queries to come."""
        has_accelerator = self._table is not None or self._engine.accelerator is not None
        if knobs.offload_threshold is not None and not has_accelerator:
            raise ValueError("an offload threshold without an accelerator")
        self._knobs = knobs
        self._engine.batch_size = knobs.batch_size
        if self._table is None:
            self._engine.offload_threshold = knobs.offload_threshold

    async def send(self, query: LoadQuery[EncodedBlock]) -> Status:
        """Have a query scored, or let the modelled accelerator take its time.

        Raises:
            RequestError: it was refused as wrong.
            InternalError: a worker failed.
        """
        if self._table is not None and self._knobs.offloads(query.rows):
            await self._offload(query.rows)
            return Status.OK
        try:
            await self._engine.score(query.content)
        except RequestError as error:
            if error.status not in _STATUSES:
                raise
            return _STATUSES[error.status]
        return Status.OK

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self._engine.finish()
        await asyncio.sleep(max(self._free_at - asyncio.get_running_loop().time(), 0.0))

    async def _offload(self, rows: int) -> None:
        assert self._table is not None
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + self._table(rows) / 1e3
        await asyncio.sleep(self._free_at - now)
