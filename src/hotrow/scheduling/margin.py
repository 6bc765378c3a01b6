"""How much of the target a prediction may fill, learnt from how late answers were.

Predictions know the work before a query. They do not know what happens around it: processes that wait for
a core, requests that wait to be read, answers that wait to be sent. So the share of the target that they may
fill falls by a factor while more answers are late than may be, and rises slowly while none is (additive
increase, multiplicative decrease).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MarginConfig:
    """Limits and steps.

    Attributes:
        most: share that predictions may fill if all goes well.
        least: share that they may always fill.
        late_from: share of the target from which an answer counts as late: before it is.
        allowed: share of the answers that may be late.
        fall: factor after a window with more.
        rise: added after a window with none.
        answers: of a window, at least.
    """

    most: float = 0.9
    least: float = 0.2
    late_from: float = 0.9
    allowed: float = 0.005
    fall: float = 0.8
    rise: float = 0.02
    answers: int = 40


class Margin:
    """Share of the target that predictions may fill.

    Args:
        target_ms: the latency promised.
        config: limits and steps.

    Attributes:
        share: at present.
    """

    def __init__(self, target_ms: float, config: MarginConfig | None = None) -> None:
        self._config = config or MarginConfig()
        self._late_ms = self._config.late_from * target_ms
        self._answers = self._late = 0
        self.share = self._config.most

    def answered(self, latency_ms: float) -> None:
        """Note an answer's latency, as near to what its client sees as is known."""
        self._answers += 1
        self._late += latency_ms > self._late_ms

    def tick(self) -> None:
        """Look at the answers since the last window, if they are enough; to be called every now and then."""
        config = self._config
        if self._answers < config.answers:
            return
        if self._late > config.allowed * self._answers:
            self.share = max(config.fall * self.share, config.least)
        elif not self._late:
            self.share = min(self.share + config.rise, config.most)
        self._answers = self._late = 0
