"""The optional check of gradients that come back to the tables."""

from __future__ import annotations

from hotrow.errors import NonFiniteGradientError
from hotrow.kernels.embedding_bag._types import Embedded, Layout


def require_finite(grad: Embedded, layout: Layout) -> None:
    """Check the gradient of a lookup's result.

    Raises:
        NonFiniteGradientError: names the first feature, and its table, whose gradient is NaN or infinite.
    """
    if bool(grad.pooled.isfinite().all()) and bool(grad.sequences.isfinite().all()):
        return
    for feature, column in zip(layout.features, layout.columns, strict=True):
        table = layout.tables[feature.table]
        part = grad.pooled[:, column : column + table.width]
        if feature.pooling != "none" and not bool(part.isfinite().all()):
            raise NonFiniteGradientError(feature.name, table.name)
    names = [layout.features[index] for index in layout.sequence_features]
    raise NonFiniteGradientError(
        ", ".join(feature.name for feature in names),
        ", ".join(dict.fromkeys(layout.tables[feature.table].name for feature in names)),
    )
