from __future__ import annotations

import pytest

from hotrow.scheduling.knobs import Knobs


def test_queries_at_the_threshold_are_offloaded() -> None:
    knobs = Knobs(25, 100)
    assert [knobs.offloads(rows) for rows in (99, 100, 101)] == [False, True, True]
    assert not Knobs(25).offloads(10**6)


@pytest.mark.parametrize(("batch", "threshold"), [(0, None), (-1, None), (1, 0)])
def test_knobs_below_one_are_refused(batch: int, threshold: int | None) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Knobs(batch, threshold)
