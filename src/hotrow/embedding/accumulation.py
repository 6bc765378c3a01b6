"""Lookups whose gradients are gathered, to be one step of the tables.

Shapes: B batch, F features, L lookups, D width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hotrow.embedding.lookup import sequence_sizes
from hotrow.kernels.embedding_bag import Bags, Embedded, Layout


class Accumulation:
    """The lookups since the tables' last step, in order.

    Args:
        layout: of the lookups.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lookups: list[tuple[Bags, Embedded]] = []
        self._is_open = True

    def add(self, bags: Bags, found: Embedded) -> Embedded:
        """Remember a lookup.

        Args:
            bags: what was looked up.
            found: its result.

        Returns:
            The result, as tensors that keep the gradient which comes back.
        """
        waiting = Embedded(_keeping_gradient(found.pooled), _keeping_gradient(found.sequences))
        for part in (waiting.pooled, waiting.sequences):
            part.register_hook(self._refuse_late)  # type: ignore[no-untyped-call]
        self._lookups.append((bags, waiting))
        return waiting

    def joined(self) -> tuple[Bags, Embedded] | None:
        """Return the lookups that a gradient came back for, as one of all their examples, and its gradient.

        The order is that of one lookup of all examples, so the tables' step has the bits that it would have.

        Returns:
            None where no gradient came back.

        Raises:
            ValueError: ids of some lookups have offsets or weights, and of others not.
        """
        parts = [(bags, grad) for bags, found in self._lookups if (grad := _gradient(found)) is not None]
        if not parts:
            return None
        bags = [each for each, _ in parts]
        grads = [grad for _, grad in parts]
        pooled = torch.cat([grad.pooled for grad in grads])
        return _joined_bags(bags), Embedded(pooled, self._joined_sequences(bags, grads))

    def close(self) -> None:
        """Let go of the lookups; a gradient that still comes back is refused."""
        self._lookups.clear()
        self._is_open = False

    def _refuse_late(self, grad: Tensor) -> None:
        if not self._is_open:
            raise RuntimeError("a gradient came back after the tables' step; call backward within the block")

    def _joined_sequences(self, bags: Sequence[Bags], grads: Sequence[Embedded]) -> Tensor:
        """Return gradients of sequences, of each feature those of all lookups after one another."""
        if not self._layout.sequence_features:
            return grads[0].sequences
        pieces = [
            grad.sequences.split(sequence_sizes(self._layout, each))  # type: ignore[no-untyped-call]
            for each, grad in zip(bags, grads, strict=True)
        ]
        return torch.cat([piece for of_feature in zip(*pieces, strict=True) for piece in of_feature])


def _keeping_gradient(result: Tensor) -> Tensor:
    if not result.requires_grad:
        return result.detach().requires_grad_()
    result.retain_grad()  # of bags whose weights want a gradient
    return result


def _gradient(found: Embedded) -> Embedded | None:
    """Return a result's gradient, zeros for a part that has none; None where no part has any."""
    if found.pooled.grad is None and found.sequences.grad is None:
        return None
    parts = (found.pooled, found.sequences)
    return Embedded(*(torch.zeros_like(part) if part.grad is None else part.grad for part in parts))


def _joined_bags(parts: Sequence[Bags]) -> Bags:
    """Return the bags of all examples, as one batch."""
    if len({(part.offsets is None, part.weights is None) for part in parts}) > 1:
        raise ValueError(
            "accumulated lookups: expected offsets with all of them or none, and weights likewise"
        )
    F = parts[0].num_features
    if parts[0].offsets is None:
        weights = [part.weights.detach() for part in parts if part.weights is not None]
        return Bags(torch.cat([part.ids for part in parts]), None, F, torch.cat(weights) if weights else None)
    lengths = [part.offsets.diff().view(F, part.batch_size) for part in parts if part.offsets is not None]
    lengths_FB = torch.cat(lengths, dim=1)
    offsets = torch.zeros(lengths_FB.numel() + 1, dtype=torch.int64, device=lengths_FB.device)
    torch.cumsum(lengths_FB.view(-1), dim=0, out=offsets[1:])
    stretches = [(part, slice(*part.bounds(feature))) for feature in range(F) for part in parts]
    ids = torch.cat([part.ids[here] for part, here in stretches])
    weights = [part.weights.detach()[here] for part, here in stretches if part.weights is not None]
    return Bags(ids, offsets, F, torch.cat(weights) if weights else None)
