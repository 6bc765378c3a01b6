"""How near training comes to what the machine can do (the roofline of Williams et al., CACM 2009).

Lookups and updates are bound by memory: their bytes at the rate of random rows. Forward and backward passes
are bound by arithmetic: their matrix products at the rate of one large product.
"""

from __future__ import annotations

from dataclasses import dataclass

from hotrow.models import ModelFacts
from hotrow.train.phases import Phases

_FLOAT = 4


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """What the machine can do, as it was measured.

    Attributes:
        row_bytes_per_second: of random rows, read with all threads from memory far larger than caches.
        flop_per_second: of a large matrix product in fp32, with all threads.
    """

    row_bytes_per_second: float
    flop_per_second: float


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """Shares of the ceilings that phases reach.

    Popular rows come from caches, which makes lookups and updates faster than random rows of memory: their
    shares may be above 1.

    Attributes:
        lookup: its rows, read once.
        forward: the networks' matrix products.
        backward: twice as many.
        update: rows, their gradients and the rows written, and likewise the networks' weights; without the
            states of optimizers.
        ceilings: what these are shares of.
    """

    lookup: float
    forward: float
    backward: float
    update: float
    ceilings: Ceilings


def roofline(
    phases: Phases, facts: ModelFacts, ceilings: Ceilings, *, samples: int, steps: int, weights: int
) -> Roofline:
    """Return the shares that phases reach.

    Args:
        phases: seconds, each above 0.
        facts: of the model.
        ceilings: of the machine.
        samples: rows that were trained on.
        steps: batches of them.
        weights: of the networks.
    """
    gathered, flop = samples * facts.gathered_bytes_per_item, samples * facts.flop_per_item
    updated = 3 * (gathered + steps * weights * _FLOAT)
    return Roofline(
        lookup=gathered / phases.lookup / ceilings.row_bytes_per_second,
        forward=flop / phases.forward / ceilings.flop_per_second,
        backward=2 * flop / phases.backward / ceilings.flop_per_second,
        update=updated / phases.update / ceilings.row_bytes_per_second,
        ceilings=ceilings,
    )
