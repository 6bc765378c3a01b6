"""What is asked of ``shrink``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from hotrow.errors import ConfigError

Bits = Literal["8", "4", "2", "auto"]
BITS: tuple[Bits, ...] = get_args(Bits)

NetworkBits = Literal["fp32", "bf16", "int8", "auto"]
NETWORKS: tuple[NetworkBits, ...] = get_args(NetworkBits)


@dataclass(frozen=True, kw_only=True)
class ShrinkConfig:
    """What is asked for.

    Attributes:
        bits: for all tables; ``auto``: as few for each as keep the promise on the validation split
            with two standard errors to spare.
        networks: in which numbers the networks are computed; ``auto``: in the fewest bits that keep half of
            the promise on the validation split, likewise.
        max_auc_loss: the promise: AUC before less AUC after is at most this.
    """

    bits: Bits = "auto"
    max_auc_loss: float = 0.001
    networks: NetworkBits = "fp32"

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise ConfigError("bits", self.bits, " or ".join(BITS))
        if self.networks not in NETWORKS:
            raise ConfigError("networks", self.networks, " or ".join(NETWORKS))
        if not 0 <= self.max_auc_loss < math.inf:
            raise ConfigError("max_auc_loss", self.max_auc_loss, "a number of at least 0, such as 0.001")
