"""Answers requests for one model: from request body to rows to scores to answer, without sockets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from hotrow.data.encoder import listed_ids
from hotrow.data.raw import EncodedBlock, RawBlock
from hotrow.data.schema import Schema
from hotrow.errors import DataError, InternalError, RequestError
from hotrow.scheduling.service_time import LinearTime
from hotrow.serving.answers import Wanted, wanted_of_infer, wanted_of_rank
from hotrow.serving.candidates import CandidateReader
from hotrow.serving.engine.layout import Shape
from hotrow.serving.engine.messages import Body
from hotrow.serving.info import ModelInfo
from hotrow.serving.limits import Limits
from hotrow.serving.protocol import FeatureValue, InferRequest, decode
from hotrow.serving.tensors import binary
from hotrow.serving.tensors.encoded import is_encoded, read_encoded
from hotrow.serving.tensors.raw import read_rows

_WARM_ROWS = (1, 64)
_WARM_ROUNDS = 3

_INFER = msgspec.json.Decoder(InferRequest)


class Scorer(Protocol):
    """What the service needs of a model; :class:`hotrow.artifact.Artifact` is one."""

    @property
    def schema(self) -> Schema:
        """Features of the raw rows."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the K labels that are predicted, the one to rank by first."""

    def block(self, rows: Sequence[Mapping[str, FeatureValue]]) -> RawBlock:
        """Read rows of raw values by column name; absent or null is missing."""

    def encode(self, block: RawBlock) -> EncodedBlock:
        """Encode raw rows."""

    def score_encoded(self, block: EncodedBlock) -> NDArray[np.float32]:
        """Return the probability of each task, (B, K) float32."""


class RankingService:
    """One model under one name.

    Args:
        name: the model's name in addresses and answers.
        scorer: the model.
        limits: bounds on requests.
        version: of the artifact.
        move: returns the model on another device; None: it stays where it is.

    Raises:
        ConfigError: the name cannot be part of an address.
    """

    def __init__(
        self,
        name: str,
        scorer: Scorer,
        limits: Limits,
        *,
        version: str = "1",
        move: Callable[[str], Scorer] | None = None,
    ) -> None:
        self.info = ModelInfo.of(name, version, scorer.schema, scorer.tasks)
        self._scorer = scorer
        self._limits = limits
        self._candidates = CandidateReader(
            (*self.info.dense, *self.info.categorical, *self.info.lists), limits
        )
        self._move = move

    def enter(self, device: str) -> None:
        """Go on with the model on another device, warm."""
        if self._move is None:
            raise InternalError(f"the model cannot be moved to {device}")
        self._scorer = self._move(device)
        self.warm_up()

    @property
    def shape(self) -> Shape:
        """Sizes of a row."""
        return self.info.shape

    def decode(self, body: bytes, kind: Body, header_bytes: int) -> tuple[EncodedBlock, bytes]:
        """Return the rows of a request's body, and what its answer must have, as JSON.

        Args:
            body: of the request.
            kind: the call.
            header_bytes: how long its JSON is if binary tensors follow; -1: all is JSON.

        Raises:
            RequestError: the request cannot be answered as it is.
        """
        if kind == Body.RANK:
            block, wanted = self._rank(body)
        else:
            block, wanted = self._infer(body, None if header_bytes < 0 else header_bytes)
        return block, msgspec.json.encode(wanted)

    def score(self, block: EncodedBlock) -> NDArray[np.float32]:
        """Return the probability of each task, (B, K) float32."""
        if not len(block):
            return np.zeros((0, len(self.info.tasks)), dtype=np.float32)
        return self._scorer.score_encoded(block)

    def warm_up(self, sizes: Iterable[int] = ()) -> LinearTime:
        """Score rows of missing values, so that no client waits for first-time work, and time it.

        Args:
            sizes: numbers of rows that are scored once besides.
        """
        for count in sizes:
            self.score(self._scorer.encode(self._scorer.block([{}] * count)))
        seconds: dict[int, list[float]] = {count: [] for count in _WARM_ROWS}
        for count in _WARM_ROWS * _WARM_ROUNDS:
            block = self._scorer.encode(self._scorer.block([{}] * count))
            started = time.perf_counter()
            self.score(block)
            seconds[count].append(time.perf_counter() - started)
        few, many = (min(seconds[count]) for count in _WARM_ROWS)
        row = max(many - few, 0.0) / (_WARM_ROWS[1] - _WARM_ROWS[0])
        return LinearTime(overhead_ms=max(few - row, 0.0) * 1e3, row_ms=row * 1e3)

    def _infer(self, body: bytes, header_bytes: int | None) -> tuple[EncodedBlock, Wanted]:
        header, rest = binary.split(body, header_bytes)
        request = decode(_INFER, header, where="request body")
        data = binary.assign(request, rest)
        wanted = wanted_of_infer(request, self.info)
        if is_encoded(request):
            return read_encoded(request, data, self.info, self._limits), wanted
        return self._encode(read_rows(request, data, self.info, self._limits), "rows"), wanted

    def _rank(self, body: bytes) -> tuple[EncodedBlock, Wanted]:
        rows, options = self._candidates.read(body)
        return self._encode(rows, "candidates"), wanted_of_rank(options)

    def _encode(self, rows: Sequence[Mapping[str, FeatureValue]], place: str) -> EncodedBlock:
        try:
            block = self._scorer.block(rows)
        except DataError as error:
            raise RequestError(str(error).replace("rows", place, 1)) from error
        count, most = int(listed_ids(block, self._scorer.schema).sum()), self._limits.max_listed_ids
        if count > most:
            raise RequestError(
                f"{place}: {count} ids in lists of all rows together, at most {most} are allowed"
            )
        return self._scorer.encode(block)
