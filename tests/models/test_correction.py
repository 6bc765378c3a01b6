from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hotrow.errors import ConfigError
from hotrow.models import Correction


def reference(p: float, w: float) -> float:
    """Return the probability that a probability p becomes, as He et al. write it."""
    return p / (p + (1 - p) / w)


@given(logit=st.floats(-12, 12), w=st.floats(1e-4, 1e4))
def test_it_is_the_published_formula(logit: float, w: float) -> None:
    p = 1 / (1 + math.exp(-logit))
    corrected = Correction(odds=(w,))(torch.tensor([logit], dtype=torch.float64))
    assert float(corrected.sigmoid()) == pytest.approx(reference(p, w), rel=1e-9)


@given(w=st.lists(st.floats(0.01, 100), min_size=2, max_size=4), rows=st.integers(0, 5))
def test_every_task_has_its_own(w: list[float], rows: int) -> None:
    logits_BK = torch.randn(rows, len(w), generator=torch.Generator().manual_seed(rows))
    found = Correction(odds=tuple(w))(logits_BK).double().sigmoid().numpy()
    p = 1 / (1 + np.exp(-logits_BK.double().numpy()))
    np.testing.assert_allclose(found, p / (p + (1 - p) / np.array(w)), rtol=1e-5)


def test_without_one_nothing_is_touched() -> None:
    logits = torch.randn(3)
    assert Correction()(logits) is logits
    assert torch.equal(Correction(odds=(1.0,))(logits), logits)


@pytest.mark.parametrize("odds", [0.0, -1.0, math.inf, math.nan])
def test_odds_are_numbers_above_zero(odds: float) -> None:
    with pytest.raises(ConfigError, match=r"correction\.odds"):
        Correction(odds=(1.0, odds))
