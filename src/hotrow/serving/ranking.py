"""The plain ranking call: rows from a context and candidates, and the order of their scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import RequestError
from hotrow.serving.limits import Limits
from hotrow.serving.protocol import FeatureValue, Ranked, RankRequest


def candidate_rows(
    request: RankRequest, *, columns: Collection[str], limits: Limits
) -> list[Mapping[str, FeatureValue]]:
    """Return one raw row per candidate: the context's features and its own.

    Args:
        request: as it was decoded.
        columns: names of the model's features.
        limits: bounds on requests.

    Raises:
        RequestError: an unknown feature, a feature of both context and candidate, too many candidates.
    """
    require_rows(len(request.candidates), limits)
    known = frozenset(columns)
    _refuse_unknown("context", request.context, known)
    for index, candidate in enumerate(request.candidates):
        if not known.issuperset(candidate):
            _refuse_unknown(f"candidates[{index}]", candidate, known)
        if not request.context.keys().isdisjoint(candidate):
            feature = next(name for name in candidate if name in request.context)
            raise RequestError(f"candidates[{index}]: feature {feature!r} is given in the context too")
    return [{**request.context, **candidate} for candidate in request.candidates]


def require_rows(count: int, limits: Limits) -> None:
    """Refuse too many candidates.

    Raises:
        RequestError: there are more than are allowed.
    """
    if count > limits.max_rows:
        raise RequestError(f"candidates: {count} given, at most {limits.max_rows} are allowed")


def ranking(scores_BK: NDArray[np.float32], tasks: Sequence[str], top_k: int | None) -> list[Ranked]:
    """Return candidates by falling score of the first task, equal scores by position.

    Args:
        scores_BK: (B, K) float32.
        tasks: names of the K tasks.
        top_k: how many to return; None for all.
    """
    order = np.argsort(-scores_BK[:, 0], kind="stable")[:top_k]
    chosen = zip(order.tolist(), scores_BK[order].tolist(), strict=True)
    if len(tasks) == 1:
        return [Ranked(index, score) for index, (score,) in chosen]
    return [Ranked(index, scores[0], dict(zip(tasks, scores, strict=True))) for index, scores in chosen]


def _refuse_unknown(where: str, features: Mapping[str, FeatureValue], known: frozenset[str]) -> None:
    for name in features:
        if name not in known:
            raise RequestError(f"{where}: unknown feature {name!r}")
