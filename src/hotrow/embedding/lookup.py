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


def sequence_sizes(layout: Layout, bags: Bags) -> list[int]:
    """Return how many numbers of a result's flat sequences are each feature's."""
    features = layout.features
    return [
        bags.count(index) * layout.tables[features[index].table].width for index in layout.sequence_features
    ]


def split_result(result: Embedded, layout: Layout, bags: Bags) -> Lookup:
    """Return a result with its flat sequences cut by feature."""
    features = [layout.features[index] for index in layout.sequence_features]
    widths = [layout.tables[feature.table].width for feature in features]
    parts: Sequence[Tensor] = [result.sequences]
    if len(features) != 1:  # one split, not a view for each feature: its gradient is made once
        parts = result.sequences.split(sequence_sizes(layout, bags))  # type: ignore[no-untyped-call]
    named = zip(features, parts, widths, strict=True)
    return Lookup(result.pooled, {feature.name: part.view(-1, width) for feature, part, width in named})
