"""Late queries come in clumps; how many of them are worth one independent observation.

While a queue is long, query after query is late: the lateness of neighbours is anything but independent, and
a binomial test that counts queries is wrong. At a rate where exactly the permitted share is late, it says
"holds" not in 1% of short measurements but in 25 to 90% (simulated; the higher the utilisation, the worse).

Exceedances of a high level by a stationary sequence come in clumps that are independent of one another and of
random size S (compound Poisson; M. R. Leadbetter, Z. Wahrscheinlichkeitstheorie verw. Gebiete 65, 1983), so
their count varies E[S^2] / E[S] times as much as that of independent events. A clump ends here when a query
is as fast as the median: the queue has been short since. Against the variance between long blocks of
simulated queues the factor is right within about 30%, from 6 (utilisation 0.5) to 130 (0.9). Counts of
queries and of violations divided by it are judged as if they were independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Clumps:
    """Sums over the clumps that were seen; added with ``+``.

    Attributes:
        late: sum of their sizes.
        squares: sum of their squared sizes.
    """

    late: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Clumps) -> Clumps:
        return Clumps(self.late + other.late, self.squares + other.squares)

    @property
    def factor(self) -> float:
        """Queries that are worth one independent one; 1 where none was late."""
        return self.squares / self.late if self.late else 1.0


def count_clumps(latencies_ms: NDArray[np.floating], sla_ms: float) -> Clumps:
    """Return the clumps of late queries.

    Args:
        latencies_ms: (Q,) in order of arrival; infinite for queries without an answer.
        sla_ms: later than this is late.
    """
    late = ~(latencies_ms <= sla_ms)
    if not late.any():
        return Clumps()
    calm = (latencies_ms <= np.quantile(latencies_ms, 0.5, method="inverted_cdf")) & ~late
    clump_of_query = np.cumsum(calm)
    sizes = np.bincount(clump_of_query, weights=late)
    return Clumps(float(sizes.sum()), float(np.square(sizes).sum()))
