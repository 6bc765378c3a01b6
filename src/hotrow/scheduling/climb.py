"""Hill climbing on one knob.

The rate that a knob's setting reaches rises and then falls along the ladder (small sub-batches pay for
being handed out, large ones leave workers idle and the longest piece late), with plateaus where settings
split most queries alike. So the climb goes in strides, first of two rungs, then of one, and looks one
stride beyond a setting that is no better before it turns round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found
from hotrow.scheduling.trial import Steps

STRIDES = (2, 1)
PATIENCE = 1
"""Settings in a row that may be no better before the climb turns round."""

TrySetting = Callable[[Knobs, Found], Steps[Found]]
"""Searches the rate of a setting, given the best so far; may give up when it does not beat that."""


def climb(ladder: Sequence[Knobs], start: int, known: Found, try_setting: TrySetting) -> Steps[Found]:
    """Return the best setting that a climb finds; where there is one top, that is it.

    Args:
        ladder: settings of one knob in order.
        start: index of the rung where the climb begins; it is not measured.
        known: a setting that stands for that rung (it or one very near), with its rate.
        try_setting: measures a setting.
    """
    state = _State(ladder, try_setting, at=start, best=known, tried={start})
    for stride in STRIDES:
        if not (yield from state.walk(stride)):
            yield from state.walk(-stride)
    return state.best


@dataclass
class _State:
    ladder: Sequence[Knobs]
    try_setting: TrySetting
    at: int
    best: Found
    tried: set[int] = field(default_factory=set)
    is_over: bool = False

    def walk(self, stride: int) -> Steps[bool]:
        """Go on while it gets better; return whether it did at all."""
        place, misses, moved = self.at, 0, False
        while not self.is_over and misses <= PATIENCE and 0 <= place + stride < len(self.ladder):
            place += stride
            misses += 1
            if place in self.tried:
                continue
            self.tried.add(place)
            found = yield from self.try_setting(self.ladder[place], self.best)
            if found.rate_qps > self.best.rate_qps:
                self.at, self.best, misses, moved = place, found, 0, True
            self.is_over = not found.complete
        return moved
