from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hotrow.train.calendar import Calendar


def test_events_are_equally_spaced_and_end_the_epoch() -> None:
    calendar = Calendar(steps_per_epoch=10, epochs=2)
    assert [step for step in range(21) if calendar.is_due(step, 4)] == [3, 5, 8, 10, 13, 15, 18, 20]
    assert [step for step in range(21) if calendar.is_due(step, 1)] == [10, 20]
    assert calendar.total == 20
    assert calendar.position(13) == (1, 3)
    assert calendar.epochs_done(15) == 1.5


@given(steps=st.integers(1, 60), epochs=st.integers(1, 3), per_epoch=st.integers(1, 80))
def test_every_epoch_has_as_many_events(steps: int, epochs: int, per_epoch: int) -> None:
    calendar = Calendar(steps_per_epoch=steps, epochs=epochs)
    due = [step for step in range(calendar.total + 1) if calendar.is_due(step, per_epoch)]
    assert len(due) == epochs * min(per_epoch, steps)
    assert due[-1] == calendar.total
