"""Probabilities of a model that was trained on rows which are not as the data's: sampled, or weighted.

Where only a share w of the negatives took part, a model sees the odds of a positive 1 / w times too high.
X. He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook" (ADKDD 2014, section 6), put the
probability p that it gives right by

    p' = p / (p + (1 - p) / w)

which is: its odds p / (1 - p) times w, or its logit plus log w. Weights of labels are undone alike:
positives that count c times as much as negatives are a share of 1 / c of the negatives.

Shapes: B batch, K tasks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hotrow.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What makes a model's probabilities those of the data.

    Attributes:
        odds: w of each of the K tasks; empty where they are right as they are.
    """

    odds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for value in self.odds:
            if not 0 < value < math.inf:
                raise ConfigError("correction.odds", value, "a finite number above 0")

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the logits of the corrected probabilities; without a correction, the very same tensor.

        Args:
            logits: (B,), or (B, K) of K > 1 tasks.
        """
        if not self.odds:
            return logits
        shifts = [math.log(value) for value in self.odds]
        shifts_K = torch.tensor(shifts, dtype=logits.dtype, device=logits.device)
        return logits + (shifts_K[0] if logits.dim() == 1 else shifts_K)
