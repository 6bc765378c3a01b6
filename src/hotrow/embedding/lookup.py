"""The result of a lookup, its sequences by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from hotrow.kernels.embedding_bag import Bags, Embedded, Layout


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a lookup gives.

    Attributes:
        pooled: (B, sum of D over the pooled features) float32, features side by side in order.
        sequences: for each feature without pooling, by name, the rows of its lookups, (L_f, D).
    """

    pooled: Tensor
    sequences: Mapping[str, Tensor]


def split_result(result: Embedded, layout: Layout, bags: Bags) -> Lookup:
    """Return a result with its flat sequences cut by feature."""
    features = [layout.features[index] for index in layout.sequence_features]
    widths = [layout.tables[feature.table].width for feature in features]
    parts: Sequence[Tensor] = [result.sequences]
    if len(features) != 1:  # one split, not a view for each feature: its gradient is made once
        sizes = [bags.count(i) * width for i, width in zip(layout.sequence_features, widths, strict=True)]
        parts = result.sequences.split(sizes)  # type: ignore[no-untyped-call]
    named = zip(features, parts, widths, strict=True)
    return Lookup(result.pooled, {feature.name: part.view(-1, width) for feature, part, width in named})
