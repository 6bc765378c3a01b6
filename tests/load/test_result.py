from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hotrow.load.query import Status
from hotrow.load.result import LoadResult, merge


def result(scheduled: list[float], status: list[Status] | None = None, **more: Any) -> LoadResult:
    times = np.array(scheduled)
    fields: dict[str, Any] = {
        "scheduled_s": times,
        "sent_s": times + 0.001,
        "done_s": times + 0.01,
        "rows": np.arange(1, len(times) + 1),
        "status": np.array([Status.OK] * len(times) if status is None else status, dtype=np.int8),
        "seconds": 10.0,
    }
    return LoadResult(**(fields | more))


def test_warm_up_and_unsent_queries_do_not_count() -> None:
    whole = result(
        [0, 1, 2, 3], [Status.OK, Status.OK, Status.FAILED, Status.UNSENT], warmup_seconds=1.0, stopped_s=3.0
    )
    measured = whole.measured()
    assert measured.rows.tolist() == [2, 3]
    assert measured.scheduled_s.tolist() == [1, 2]
    assert measured.measured_seconds == 2
    assert result([0], warmup_seconds=1.0).measured_seconds == 9
    assert result([0], warmup_seconds=1.0, stopped_s=0.5).measured_seconds == 0


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_are_merged_in_order(parts: int) -> None:
    whole = result(list(range(8)))
    pieces = [
        result(
            whole.scheduled_s[at::parts].tolist(),
            rows=whole.rows[at::parts],
            cpu_seconds=0.5,
            first_failure="bad" if at == parts - 1 else "",
        )
        for at in range(parts)
    ]
    merged = merge(pieces)
    for name in ("scheduled_s", "sent_s", "done_s", "rows", "status"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
        assert getattr(merged, name).dtype == getattr(whole, name).dtype
    assert merged.cpu_seconds == 0.5 * parts
    assert merged.first_failure == "bad"
    assert merged.stopped_s is None


def test_one_bad_part_spoils_the_whole() -> None:
    merged = merge([result([0.0]), result([1.0], stopped_s=4.0, invalid="too slow")])
    assert (merged.stopped_s, merged.invalid) == (4, "too slow")
