from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.models import Correction
from hotrow.train.config import LabelWeights
from hotrow.train.correction import correction_of


@pytest.mark.parametrize(
    ("weights", "tasks", "share", "odds"),
    [
        (LabelWeights(), 1, 1.0, ()),
        (LabelWeights(positive=(2.0, 2.0), negative=(2.0, 2.0)), 2, 1.0, ()),
        (LabelWeights(), 1, 0.1, (0.1,)),
        (LabelWeights(positive=(4.0,)), 1, 1.0, (0.25,)),
        (LabelWeights(positive=(4.0,), negative=(0.5,)), 1, 0.5, (0.0625,)),
        (LabelWeights(positive=(1.0, 4.0)), 2, 1.0, (1.0, 0.25)),
    ],
)
def test_odds_of_what_was_left_out_and_weighted(
    weights: LabelWeights, tasks: int, share: float, odds: tuple[float, ...]
) -> None:
    assert correction_of(weights, tasks, share) == Correction(odds=odds)


@given(
    rate=st.floats(0.01, 0.99),
    share=st.floats(0.01, 1),
    positive=st.floats(0.1, 50),
    negative=st.floats(0.1, 9),
)
def test_the_best_constant_is_the_click_rate(
    rate: float, share: float, positive: float, negative: float
) -> None:
    """A model that knows nothing learns the weighted rate of what it sees; corrected, it says the data's."""
    seen, unseen = rate * positive, (1 - rate) * share * negative
    (odds,) = correction_of(LabelWeights(positive=(positive,), negative=(negative,)), 1, share).odds or (1.0,)
    learnt = seen / (seen + unseen)
    assert learnt / (learnt + (1 - learnt) / odds) == pytest.approx(rate, rel=1e-9)
