"""Answers requests for one model: from request body to response body, without sockets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from hotrow.data.encoder import listed_ids
from hotrow.data.raw import RawBlock
from hotrow.data.schema import Schema
from hotrow.errors import ConfigError, DataError, RequestError
from hotrow.serving import tensors
from hotrow.serving.limits import Limits
from hotrow.serving.protocol import (
    FeatureValue,
    InferRequest,
    InferResponse,
    ModelMetadata,
    OutputTensor,
    RankRequest,
    RankResponse,
    TensorMetadata,
    decode,
)
from hotrow.serving.ranking import candidate_rows, ranking

_INFER = msgspec.json.Decoder(InferRequest)
_RANK = msgspec.json.Decoder(RankRequest)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Scorer(Protocol):
    """What the service needs of a model; :class:`hotrow.artifact.Artifact` is one."""

    @property
    def schema(self) -> Schema:
        """Features of the raw rows."""

    def block(self, rows: Sequence[Mapping[str, FeatureValue]]) -> RawBlock:
        """Read rows of raw values by column name; absent or null is missing."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the K labels that are predicted, the one to rank by first."""

    def score_tasks(self, block: RawBlock) -> NDArray[np.float32]:
        """Return the probability of each task, (B, K) float32."""


class RankingService:
    """One model under one name.

    Args:
        name: the model's name in addresses and answers.
        scorer: the model.
        limits: bounds on requests.

    Raises:
        ConfigError: the name cannot be part of an address.
    """

    def __init__(self, name: str, scorer: Scorer, limits: Limits) -> None:
        if _NAME.fullmatch(name) is None:
            raise ConfigError("name", name, "letters, digits, '.', '_' and '-', at most 128")
        self.name = name
        self._scorer = scorer
        self._limits = limits
        self._dense = [feature.name for feature in scorer.schema.dense]
        self._categorical = [feature.name for feature in scorer.schema.categorical]
        self._lists = [feature.name for feature in scorer.schema.lists]

    def infer(self, body: bytes) -> bytes:
        """Answer ``POST /v2/models/{name}/infer``.

        Raises:
            RequestError: the request cannot be answered as it is.
        """
        request = decode(_INFER, body, where="request body")
        wanted = tensors.wanted_outputs(request, [output.name for output in self._outputs()])
        rows = tensors.read_rows(
            request,
            dense=self._dense,
            categorical=self._categorical,
            lists=self._lists,
            limits=self._limits,
        )
        scores_BK = self._score(rows, "rows")
        values = {tensors.SCORE: scores_BK[:, 0], tensors.TASKS: scores_BK}
        outputs = [
            OutputTensor(name, "FP32", list(values[name].shape), values[name].reshape(-1).tolist())
            for name in wanted
        ]
        return msgspec.json.encode(InferResponse(self.name, outputs, request.id))

    def rank(self, body: bytes) -> bytes:
        """Answer ``POST /v1/rank``.

        Raises:
            RequestError: the request cannot be answered as it is.
        """
        request = decode(_RANK, body, where="request body")
        rows = candidate_rows(
            request, columns={*self._dense, *self._categorical, *self._lists}, limits=self._limits
        )
        ranked = ranking(self._score(rows, "candidates"), self._scorer.tasks, request.top_k)
        return msgspec.json.encode(RankResponse(self.name, ranked, request.id))

    def metadata(self) -> ModelMetadata:
        """Answer ``GET /v2/models/{name}``."""
        inputs = [
            TensorMetadata(tensors.DENSE, "FP32", [-1, len(self._dense)]),
            TensorMetadata(tensors.CATEGORICAL, "BYTES", [-1, len(self._categorical)]),
        ]
        for name in self._lists:
            inputs.append(TensorMetadata(tensors.LIST + name, "BYTES", [-1]))
            inputs.append(TensorMetadata(tensors.LENGTHS + name, "INT64", [-1]))
        several = {"task_columns": ",".join(self._scorer.tasks)} if len(self._scorer.tasks) > 1 else {}
        return ModelMetadata(
            name=self.name,
            versions=[],
            platform="hotrow",
            inputs=[tensor for tensor in inputs if tensor.shape[-1]],
            outputs=self._outputs(),
            parameters={
                "dense_columns": ",".join(self._dense),
                "categorical_columns": ",".join(self._categorical),
                **several,
            },
        )

    def _outputs(self) -> list[TensorMetadata]:
        tasks = len(self._scorer.tasks)
        of_each = [TensorMetadata(tensors.TASKS, "FP32", [-1, tasks])] if tasks > 1 else []
        return [TensorMetadata(tensors.SCORE, "FP32", [-1]), *of_each]

    def warm_up(self) -> None:
        """Score a few rows of missing values, so that no client waits for first-time work."""
        for count in (1, 64, 1):
            self._score([{}] * count, "rows")

    def _score(self, rows: Sequence[Mapping[str, FeatureValue]], place: str) -> NDArray[np.float32]:
        if not rows:
            return np.zeros((0, len(self._scorer.tasks)), dtype=np.float32)
        try:
            block = self._scorer.block(rows)
            self._require_few_ids(block, place)
            scores = self._scorer.score_tasks(block)
        except DataError as error:
            raise RequestError(str(error).replace("rows", place, 1)) from error
        bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if bad.size:
            raise RequestError(f"{place}[{bad[0]}]: its score is not a finite number; are its values?")
        return scores

    def _require_few_ids(self, block: RawBlock, place: str) -> None:
        count, most = int(listed_ids(block, self._scorer.schema).sum()), self._limits.max_listed_ids
        if count > most:
            raise RequestError(
                f"{place}: {count} ids in lists of all rows together, at most {most} are allowed"
            )
