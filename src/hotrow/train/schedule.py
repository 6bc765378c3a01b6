"""Learning rates as a pure function of the step: warm-up, then decay."""

from __future__ import annotations

import math

from hotrow.train.config import ScheduleConfig


def rate_multiplier(config: ScheduleConfig, step: int, total: int) -> float:
    """Return what both learning rates are multiplied by at a step.

    Args:
        config: the schedule.
        step: the step about to be made, from 0.
        total: steps of the whole run.

    Returns:
        In (0, 1] during the warm-up; from 1 to ``config.final`` after it.
    """
    warmup = math.ceil(config.warmup * total)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    left = 1.0 - (step - warmup) / max(1, total - warmup)
    match config.decay:
        case "constant":
            return 1.0
        case "linear":
            share = left
        case "polynomial":
            share = left**config.power
        case "cosine":
            share = 0.5 * (1.0 - math.cos(math.pi * left))
    return config.final + (1.0 - config.final) * share
