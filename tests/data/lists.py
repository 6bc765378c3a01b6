"""List features for tests: strategies that draw them, and the plain lists they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from hotrow.data.raw import EncodedList
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema

Values = list[list[tuple[int, float]]]


def values_of(rows: EncodedList) -> Values:
    """Return each row's ids and weights (1 without), as the definition reads."""
    weights = np.ones(len(rows.ids), np.float32) if rows.weights is None else rows.weights
    ends = rows.starts + rows.lengths
    return [
        list(zip(rows.ids[start:end].tolist(), weights[start:end].tolist(), strict=True))
        for start, end in zip(rows.starts.tolist(), ends.tolist(), strict=True)
    ]


@st.composite
def encoded_lists(draw: st.DrawFn, rows: int, *, weighted: bool = False) -> EncodedList:
    """Draw slices anywhere in an array of ids: overlapping, empty, out of order."""
    count = draw(st.integers(0, 12))
    starts = draw(st.lists(st.integers(0, count), min_size=rows, max_size=rows))
    lengths = [draw(st.integers(0, count - start)) for start in starts]
    return EncodedList(
        ids=np.arange(100, 100 + count, dtype=np.int32),
        starts=np.array(starts, dtype=np.int32),
        lengths=np.array(lengths, dtype=np.int32),
        weights=np.linspace(0, 2, count, dtype=np.float32) if weighted else None,
    )


def list_schema(
    *, weighted: Sequence[bool] = (False, True), more_labels: tuple[str, ...] = (), group: str = "user"
) -> Schema:
    """Return a schema of a user, an item and one list feature for each entry of ``weighted``."""
    return Schema(
        format="criteo",
        label="label",
        dense=(DenseFeature(name="age"),),
        categorical=(
            CategoricalFeature(name="user", rows=20, key_type="integer"),
            CategoricalFeature(name="item", rows=30, key_type="integer"),
        ),
        lists=tuple(
            ListFeature(
                name=f"list{at}",
                kind="sequence" if at == 0 else "bag",
                rows=30 if at == 0 else 12,
                of="item" if at == 0 else "",
                weighted=is_weighted,
            )
            for at, is_weighted in enumerate(weighted)
        ),
        more_labels=more_labels,
        group=group,
    )
