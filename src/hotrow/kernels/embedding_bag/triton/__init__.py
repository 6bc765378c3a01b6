"""The lookup and its fused backward in Triton: for GPUs, and on the CPU under ``TRITON_INTERPRET=1``.

Ids and offsets are checked on the device, and each function waits for the verdict before it writes
anything. Beyond that it waits for: the size of the result, if jagged features are not pooled; in the
backward, the number of touched rows; and once per level of the sums of rows that occur more than
64, 64**2, ... times in a batch. Sums are taken in a fixed order without
atomic additions: equal inputs give equal bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from hotrow.errors import BackendUnavailableError
from hotrow.kernels._triton import on_device
from hotrow.kernels.dispatch import note_path
from hotrow.kernels.embedding_bag._types import Bags, Embedded, Layout, States, Update
from hotrow.kernels.embedding_bag.triton.lookup import look_up
from hotrow.kernels.embedding_bag.triton.plan import feature_plan, table_plan
from hotrow.kernels.embedding_bag.triton.scan import check, gather_keys, sequence_starts
from hotrow.kernels.embedding_bag.triton.segments import find_segments
from hotrow.kernels.embedding_bag.triton.update import update_rows
from hotrow.kernels.embedding_bag.triton.weights import gradient_of_weights

__all__ = ["backward_update", "forward", "make_checksums", "verify", "weights_gradient"]


def forward(
    tables: Sequence[Tensor], layout: Layout, bags: Bags, checksums: Sequence[Tensor] | None = None
) -> Embedded:
    """Look up and pool: see ``_types.Implementation``.

    Raises:
        BackendUnavailableError: there are checksums, which only the other backends verify.
    """
    if checksums is not None:
        raise _unchecked()
    note_path("embedding_bag_forward", "triton")
    bags = _contiguous(bags)
    with on_device(bags.ids.device):
        check(bags, feature_plan(layout, tables, bags.ids.device).records)
        return look_up(tables, layout, bags, sequence_starts(layout, bags))


def backward_update(
    tables: Sequence[Tensor], states: States, layout: Layout, bags: Bags, grad: Embedded, update: Update
) -> None:
    """Sum each touched row's gradients over the batch, then step the optimizer once per row."""
    note_path("embedding_bag_backward", "triton")
    bags, device = _contiguous(bags), bags.ids.device
    grad = Embedded(grad.pooled.contiguous(), grad.sequences.contiguous())
    with on_device(device):
        records = feature_plan(layout, tables, device).records
        if not bags.ids.numel() or not bags.batch_size:
            check(bags, records)
            return
        plan = table_plan(layout, tables, states, device)
        keyed = gather_keys(layout, bags, records, sequence_starts(layout, bags), grad)
        segments = find_segments(layout, bags, keyed, plan.groups)
        update_rows(layout, plan, segments, update, states)


def weights_gradient(tables: Sequence[Tensor], layout: Layout, bags: Bags, grad: Embedded) -> Tensor:
    """Return for each lookup the product of its row and the gradient of its place."""
    note_path("embedding_bag_weights_gradient", "triton")
    assert bags.weights is not None
    bags = _contiguous(bags)
    grad = Embedded(grad.pooled.contiguous(), grad.sequences.contiguous())
    with on_device(bags.ids.device):
        check(bags, feature_plan(layout, tables, bags.ids.device).records)
        return gradient_of_weights(tables, layout, bags, sequence_starts(layout, bags), grad)


def make_checksums(tables: Sequence[Tensor], layout: Layout) -> list[Tensor]:
    """Refuse: this backend has no checksums.

    Raises:
        BackendUnavailableError: always.
    """
    raise _unchecked()


def verify(
    tables: Sequence[Tensor], layout: Layout, bags: Bags, checksums: Sequence[Tensor], result: Embedded
) -> None:
    """Refuse: this backend has no checksums.

    Raises:
        BackendUnavailableError: always.
    """
    raise _unchecked()


def _unchecked() -> BackendUnavailableError:
    return BackendUnavailableError(
        "checksums: the triton backend does not verify lookups; use cpu or reference"
    )


def _contiguous(bags: Bags) -> Bags:
    weights = None if bags.weights is None else bags.weights.contiguous()
    offsets = None if bags.offsets is None else bags.offsets.contiguous()
    return replace(bags, ids=bags.ids.contiguous(), offsets=offsets, weights=weights)
