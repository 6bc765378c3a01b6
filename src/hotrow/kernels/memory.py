"""Where rows lie in memory."""

from __future__ import annotations

from torch import Tensor

from hotrow.kernels import _compiled

WORTH_IT_BYTES = 8 << 20


def prefer_huge_pages(tensor: Tensor) -> None:
    """Advise huge pages for a large tensor that has not been written yet.

    Looking up random rows is bound by misses of the TLB as much as of the caches. Advice only: does
    nothing for small tensors, other devices, or without the compiled kernels.
    """
    kernels = _compiled.load()
    if kernels is not None and tensor.device.type == "cpu" and tensor.nbytes >= WORTH_IT_BYTES:
        kernels.advise_huge_pages(tensor.data_ptr(), tensor.nbytes)
