"""The inputs that models were published with: how many features, and how large their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hotrow.types import Inputs, ListInput

KAGGLE_ROWS: Final = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)
"""Tables of facebookresearch/dlrm for the Criteo Kaggle data set."""

MLPERF_ROWS: Final = (
    *(40000000, 39060, 17295, 7424, 20265, 3, 7122, 1543, 63, 40000000, 3067956, 405282, 10),
    *(2209, 11938, 155, 4, 976, 14, 40000000, 40000000, 40000000, 590152, 12973, 108, 36),
)
MLPERF_LENGTHS: Final = (3, 2, 1, 2, 6, 1, 1, 1, 1, 7, 3, 8, 1, 6, 9, 5, 1, 1, 1, 12, 100, 27, 10, 3, 1, 1)
"""Tables and lookups of MLPerf's DLRM-v2 (mlcommons/training, recommendation_v2/torchrec_dlrm)."""

_RESERVED: Final = 2  # rows of unseen and missing ids, in tables sized by a data set's ids


def criteo_kaggle() -> Inputs:
    """Return the inputs of the Criteo Kaggle data set: 13 dense features, 26 tables, 33.8M rows."""
    names = tuple(f"C{number}" for number in range(1, len(KAGGLE_ROWS) + 1))
    return Inputs(num_dense=13, names=names, rows=KAGGLE_ROWS)


def dlrm_rmc1_inputs() -> Inputs:
    """Return RMC1's inputs: 128 dense features, 8 bags of 80 ids, tables of 4M rows."""
    return _bags(num_dense=128, bags=8, length=80, rows=4_000_000)


def dlrm_rmc2_inputs() -> Inputs:
    """Return RMC2's inputs: 256 dense features, 32 bags of 120 ids, tables of 500k rows."""
    return _bags(num_dense=256, bags=32, length=120, rows=500_000)


def dlrm_rmc3_inputs() -> Inputs:
    """Return RMC3's inputs: 2560 dense features, 10 bags of 20 ids, tables of 2M rows."""
    return _bags(num_dense=2560, bags=10, length=20, rows=2_000_000)


def ncf_inputs() -> Inputs:
    """Return NCF's inputs in DeepRecSys: users and items in tables of 140k and 28k rows."""
    return Inputs(num_dense=0, names=("user", "item"), rows=(140_000, 28_000))


def wide_deep_inputs() -> Inputs:
    """Return Wide & Deep's inputs in DeepRecSys: 512 dense features, 27 tables of 1M rows."""
    return _tables([1_000_000] * 27)


def mt_wide_deep_inputs() -> Inputs:
    """Return multi-task Wide & Deep's: 512 dense features, 41 tables of 500k and 2 of 5M rows, in DeepRecSys.

    Its code learns one task unless told otherwise; here there are two labels.
    """
    return replace(_tables([500_000] * 41 + [5_000_000] * 2), tasks=("click", "like"))


def kaggle_with_conversions() -> Inputs:
    """Return the inputs of the Criteo Kaggle data set with a second label: ESMM's own are not public."""
    return replace(criteo_kaggle(), tasks=("click", "conversion"))


def movielens_1m() -> Inputs:
    """Return the inputs of MovieLens-1M: user and movie, what is known of them, and the movie's genres."""
    rows = {"user": 6040, "item": 3706, "gender": 2, "age": 7, "occupation": 21, "zip": 3439, "year": 81}
    genres = ListInput(name="genres", kind="bag", table="genres", rows=18 + _RESERVED, length=2)
    return Inputs(
        num_dense=0,
        names=tuple(rows),
        rows=tuple(count + _RESERVED for count in rows.values()),
        lists=(genres,),
    )


def dcnv2_inputs() -> Inputs:
    """Return the inputs of MLPerf's DCN-v2: 13 dense features, 26 bags of 214 ids in all, 204M rows."""
    pairs = zip(MLPERF_ROWS, MLPERF_LENGTHS, strict=True)
    lists = (
        ListInput(name=f"C{i}", kind="bag", table=f"C{i}", rows=rows, length=length, pooling="sum")
        for i, (rows, length) in enumerate(pairs, start=1)
    )
    return Inputs(num_dense=13, names=(), rows=(), lists=tuple(lists))


def din_inputs() -> Inputs:
    """Return DIN's inputs in DeepRecSys: a history of 250 items, 100k of them, and 3 ids of each other table.

    Its four tables of 1M, 100k (behaviour), 10M and 10M rows have 3 lookups each, the behaviour's up to 250
    steps; the candidate is one more id of the behaviour's table.
    """
    others = (("user", 1_000_000), ("ad", 10_000_000), ("context", 10_000_000))
    return Inputs(
        num_dense=0,
        names=("item",),
        rows=(100_000,),
        lists=(
            ListInput(name="history", kind="sequence", table="item", rows=100_000, length=250),
            *(
                ListInput(name=name, kind="bag", table=name, rows=rows, length=3, pooling="sum")
                for name, rows in others
            ),
        ),
    )


def dien_inputs() -> Inputs:
    """Return DIEN's inputs in DeepRecSys: 41 tables of 500k rows and 2 of 5M, one id each, and a history.

    Its code has no recurrent layer and so no history; here it is 50 items, in one of the two large tables.
    """
    names = (*(f"field{number}" for number in range(1, 42)), "user", "item")
    history = ListInput(name="history", kind="sequence", table="item", rows=5_000_000, length=50)
    return Inputs(num_dense=0, names=names, rows=(*[500_000] * 41, 5_000_000, 5_000_000), lists=(history,))


def _bags(*, num_dense: int, bags: int, length: int, rows: int) -> Inputs:
    names = [f"bag{number}" for number in range(1, bags + 1)]
    lists = (
        ListInput(name=name, kind="bag", table=name, rows=rows, length=length, pooling="sum")
        for name in names
    )
    return Inputs(num_dense=num_dense, names=(), rows=(), lists=tuple(lists))


def _tables(rows: Sequence[int]) -> Inputs:
    names = tuple(f"feature{number}" for number in range(1, len(rows) + 1))
    return Inputs(num_dense=512, names=names, rows=tuple(rows))
