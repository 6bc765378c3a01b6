"""What is wrong with rows, as the rejections of a block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hotrow.data.formats._column_reader import Fault
from hotrow.data.rejections import Reason, Rejections


def rejections_of(faults: Mapping[int, Fault], texts: Sequence[bytes]) -> Rejections:
    """Gather the rows at fault, in order.

    Args:
        faults: by 0-based line, or row.
        texts: what is kept of each faulty row, in order.
    """
    order = sorted(faults)
    kinds = sorted({(fault.reason, fault.column) for fault in faults.values()})
    reasons = {kind: at for at, kind in enumerate(kinds)}
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    ends = np.cumsum(lengths)
    return Rejections(
        lines=np.array(order, dtype=np.int64) + 1,
        reasons=np.array([reasons[faults[at].reason, faults[at].column] for at in order], dtype=np.int64),
        starts=ends - lengths,
        ends=ends,
        data=b"".join(texts),
        kinds=tuple(Reason(reason, "", column) for reason, column in kinds),
        details=tuple(faults[at].detail for at in order),
    )


def rejected_lines(lines: Sequence[bytes], faults: Mapping[int, Fault]) -> Rejections:
    """Gather the lines at fault of all lines of a block."""
    return rejections_of(faults, [lines[at] for at in sorted(faults)])
