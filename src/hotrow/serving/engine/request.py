"""What is asked of the engine, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hotrow.data.raw import EncodedBlock
from hotrow.serving.engine.messages import Body


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request whose body a worker decodes.

    Attributes:
        body: its bytes.
        call: which call it belongs to.
        header_bytes: how long its JSON is if binary tensors follow; -1: all is JSON.
        rows: about how many rows it has.
    """

    body: bytes
    call: Body
    header_bytes: int = -1
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Scores:
    """An answered request.

    Attributes:
        values: (B, K) float32 probabilities, one row for each row of the request.
        wanted: of a raw request, what its answer must have, as the decoder returned it.
        queued_seconds: from its arrival until its first work began.
        work_seconds: that workers spent on it together.
    """

    values: NDArray[np.float32]
    wanted: bytes
    queued_seconds: float
    work_seconds: float


Request = RawRequest | EncodedBlock
