from __future__ import annotations

import math

import pytest

from hotrow.data.schema import ListFeature
from hotrow.errors import ConfigError


@pytest.mark.parametrize("length", [math.nan, math.inf, -1.0])
def test_mean_lengths_that_are_no_lengths_are_refused(length: float) -> None:
    with pytest.raises(ConfigError, match=r"history\.mean_length: got .*expected a finite number"):
        ListFeature(name="history", kind="sequence", rows=5, mean_length=length)
