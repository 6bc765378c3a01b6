"""The search, against losses that are known."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.kernels.row_formats import RowFormat, row_bytes
from hotrow.shrink import TableSizes, choose
from hotrow.shrink.choose import EXTRA_TRIES, MAX_TABLES

FORMATS: tuple[RowFormat, ...] = ("fp32", "int8", "int4", "int2")
Losses = dict[str, dict[RowFormat, float]]


def table(name: str, rows: int, width: int = 16) -> TableSizes:
    return TableSizes(name=name, bytes={form: rows * row_bytes(form, width) for form in FORMATS})


def problem(seed: int, count: int) -> tuple[list[TableSizes], Losses]:
    rng = np.random.default_rng(seed)
    tables = [table(f"t{i}", int(rng.integers(1, 1000))) for i in range(count)]
    losses: Losses = {}
    for entry in tables:
        steps = np.cumsum(rng.exponential(size=3) * (1e-6, 1e-4, 1e-3))
        losses[entry.name] = {"fp32": 0.0, **dict(zip(FORMATS[1:], map(float, steps), strict=True))}
    return tables, losses


def total(losses: Losses, formats: Mapping[str, RowFormat]) -> float:
    return sum(losses[name][form] for name, form in formats.items())


def size(tables: list[TableSizes], formats: Mapping[str, RowFormat]) -> int:
    return sum(entry.bytes[formats[entry.name]] for entry in tables)


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 8), limit=st.floats(0, 0.01))
def test_the_promise_is_kept_and_what_was_judged_is_returned(seed: int, count: int, limit: float) -> None:
    tables, losses = problem(seed, count)
    found = choose(tables, lambda formats: total(losses, formats), limit)
    assert found.loss == total(losses, found.formats) <= limit
    assert found.formats.keys() == losses.keys()


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), limit=st.floats(1e-4, 0.004))
def test_it_is_near_the_best_there_is(seed: int, limit: float) -> None:
    tables, losses = problem(seed, 4)
    found = choose(tables, lambda formats: total(losses, formats), limit)
    best = min(
        size(tables, formats)
        for forms in product(FORMATS, repeat=4)
        for formats in [dict(zip(losses, forms, strict=True))]
        if total(losses, formats) <= limit
    )
    largest = max(entry.bytes["int8"] - entry.bytes["int2"] for entry in tables)
    assert best <= size(tables, found.formats) <= best + largest


def test_the_smallest_is_judged_first_and_alone_if_it_will_do() -> None:
    tables, _ = problem(0, 5)
    found = choose(tables, lambda formats: 0.0, 0.0)
    assert set(found.formats.values()) == {"int2"}
    assert found.judged == 1


def test_nothing_is_moved_when_nothing_may_be_lost() -> None:
    tables, losses = problem(0, 5)
    found = choose(tables, lambda formats: total(losses, formats), 0.0)
    assert set(found.formats.values()) == {"fp32"}
    assert found.loss == 0.0


def test_losses_that_do_not_add_up_are_found_out() -> None:
    tables, _ = problem(3, 6)

    def judge(formats: Mapping[str, RowFormat]) -> float:
        return max(0, sum(form == "int2" for form in formats.values()) - 2) * 0.01

    found = choose(tables, judge, 0.001)
    assert sorted(found.formats.values()).count("int2") == 2
    assert sorted(found.formats.values()).count("int4") == 4


def test_a_bad_table_does_not_hold_up_the_others() -> None:
    tables = [table(name, 100 + i) for i, name in enumerate("abcdefgh")]

    def judge(formats: Mapping[str, RowFormat]) -> float:
        return 1.0 if formats["d"] != "fp32" else 0.0

    found = choose(tables, judge, 0.001)
    assert [name for name, form in found.formats.items() if form != "int2"] == ["d"]
    assert found.formats["d"] == "fp32"


def test_judgements_are_bounded_and_never_repeated() -> None:
    tables, losses = problem(1, 200)
    seen = []

    def judge(formats: Mapping[str, RowFormat]) -> float:
        seen.append(tuple(formats.items()))
        return total(losses, formats)

    found = choose(tables, judge, 0.02)
    assert len(seen) == len(set(seen)) == found.judged
    assert found.judged <= 3 + 3 * MAX_TABLES + 8 + EXTRA_TRIES


def test_tables_are_judged_alone_by_the_estimate() -> None:
    tables, losses = problem(2, 10)
    calls = {"whole": 0, "part": 0}

    def judge(formats: Mapping[str, RowFormat], kind: str) -> float:
        calls[kind] += 1
        return total(losses, formats)

    found = choose(tables, lambda f: judge(f, "whole"), 0.003, estimate=lambda f: judge(f, "part"))
    assert calls["part"] >= 10
    assert calls["whole"] <= 3 + 5 + EXTRA_TRIES
    assert found.judged == sum(calls.values())
    assert found.loss == pytest.approx(total(losses, found.formats))


def test_small_tables_are_not_judged_alone() -> None:
    tables = [table("large", 10**6), table("small", 10)]
    judged = []

    def judge(formats: Mapping[str, RowFormat]) -> float:
        judged.append(dict(formats))
        return 1.0 if formats["large"] == "int2" else 0.0

    found = choose(tables, judge, 0.001)
    assert found.formats == {"large": "int4", "small": "int8"}
    assert {"large": "int4", "small": "int2"} not in judged


def test_small_tables_stay_small_if_that_alone_keeps_the_promise() -> None:
    tables = [table("large", 10**6), table("small", 10)]
    found = choose(tables, lambda f: float("int2" in f.values() or f["small"] == "int8"), 0.001)
    assert found.formats == {"large": "int4", "small": "int4"}
