"""Reads a ranking call in columns: its objects become structs of the model's features, and these columns.

That takes half the time of objects that become dicts, of which every value is looked up. What is wrong with
a call is not looked for here: what these types do not fit is read row by row, which can tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import astuple

from hotrow.data.columnar import ColumnarRows
from hotrow.serving.limits import Limits
from hotrow.serving.protocol import FeatureValue, RankOptions, RankRequest, decode
from hotrow.serving.ranking import candidate_rows, require_rows

Decoder = msgspec.json.Decoder[Any]
Columns = list[tuple[Any, ...]]

_BY_ROW = msgspec.json.Decoder(RankRequest)


class _Object(Struct, gc=False):
    """A candidate of which nothing is decoded."""


class _Counted(Struct):
    candidates: list[_Object]


_COUNTED = msgspec.json.Decoder(_Counted)


class CandidateReader:
    """Reads ranking calls for one model.

    Args:
        columns: names of its features.
        limits: bounds on requests.
    """

    def __init__(self, columns: Sequence[str], limits: Limits) -> None:
        self._columns = tuple(columns)
        self._limits = limits
        self._alone: Decoder | None = None
        self._shared: Decoder | None = None
        with suppress(ValueError):  # of a name that msgspec cannot give to a field
            self._alone, self._shared = _alone(columns), _shared(columns)

    def read(self, body: bytes) -> tuple[Sequence[Mapping[str, FeatureValue]], RankOptions]:
        """Return one raw row per candidate, the context's features and its own, and what else is asked for.

        Raises:
            RequestError: the call cannot be answered as it is.
        """
        if body.count(b"{") - 1 > self._limits.max_rows:  # each candidate has one: there may be too many
            counted = decode(_COUNTED, body, where="request body")
            require_rows(len(counted.candidates), self._limits)
        found = self._in_columns(body)
        if found is not None:
            return found
        request = decode(_BY_ROW, body, where="request body")
        return candidate_rows(request, columns=self._columns, limits=self._limits), request

    def _in_columns(self, body: bytes) -> tuple[ColumnarRows, RankOptions] | None:
        """Return the rows; None where it must be looked what is wrong with them."""
        decoder = self._shared if b'"context"' in body else self._alone
        if decoder is None:
            return None
        try:
            call = decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        count = len(call.candidates)
        columns: Columns | None = [*zip(*map(astuple, call.candidates), strict=True)]
        columns = columns or [()] * len(self._columns)
        if decoder is self._shared:
            columns = _joined(columns, astuple(call.context), count)
        if columns is None:
            return None
        return ColumnarRows(dict(zip(self._columns, columns, strict=True)), count), call


def _joined(columns: Columns, context: tuple[Any, ...], count: int) -> Columns | None:
    """Return the columns of candidates with those of the context; None if both have one."""
    nowhere = (UNSET,) * count
    joined: Columns = []
    for own, value in zip(columns, context, strict=True):
        if value is UNSET:
            joined.append(tuple([None if each is UNSET else each for each in own]))
        elif own == nowhere:
            joined.append((value,) * count)
        else:
            return None
    return joined


def _alone(columns: Sequence[str]) -> Decoder:
    """Return the decoder of calls without a context: what is absent is null."""
    kind: Any = list[_features("Candidate", columns, None)]  # type: ignore[misc]
    return _decoder([("candidates", kind)])


def _shared(columns: Sequence[str]) -> Decoder:
    """Return the decoder of calls with a context, which tells absent from null."""
    kind: Any = _features("SharedCandidate", columns, UNSET)
    context = ("context", kind, msgspec.field(default_factory=kind))
    return _decoder([("candidates", list[kind]), context])


def _features(name: str, columns: Sequence[str], absent: object) -> Any:
    """Return a struct with a field for each column.

    Raises:
        ValueError: a column's name cannot be a field's.
    """
    names = {f"f{number}": column for number, column in enumerate(columns)}
    fields = [(field, FeatureValue | UnsetType, absent) for field in names]
    return msgspec.defstruct(name, fields, rename=names, forbid_unknown_fields=True)


def _decoder(fields: list[Any]) -> Decoder:
    call = msgspec.defstruct("Call", fields, bases=(RankOptions,), kw_only=True, forbid_unknown_fields=True)
    return msgspec.json.Decoder(call)
