"""The compiled kernels (csrc/bindings.cpp). Arrays are C-contiguous and in host memory."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

def embedding_bag_forward(
    weights: Sequence[int],
    rows: Sequence[int],
    widths: Sequence[int],
    ids: Tensor,
    offsets: Tensor | None,
    out: Tensor,
    threads: int,
) -> tuple[int, int] | None:
    """Fill out (B, sum of widths); return (table, id) of the first bad id, if any."""

def embedding_bag_backward(
    weights: Sequence[int],
    rows: Sequence[int],
    widths: Sequence[int],
    states: Sequence[int],
    ids: Tensor,
    offsets: Tensor | None,
    grad: Tensor,
    learning_rate: float,
    epsilon: float,
    threads: int,
) -> tuple[int, int] | None:
    """Update the tables at the addresses in place; SGD when states is empty, else row-wise Adagrad."""

def id_index_build(slots: NDArray[np.uint8], slot_bytes: int, keys: NDArray[np.uint64]) -> int:
    """Fill empty slots; return the position of the first repeated key, or -1."""

def id_index_lookup(
    slots: NDArray[np.uint8],
    slot_bytes: int,
    keys: NDArray[np.uint64],
    positions: NDArray[np.int32],
    threads: int,
) -> None:
    """Write each key's position, or -1."""

def dot_interaction_forward(
    x: int,
    out: int,
    batch: int,
    vectors: int,
    width: int,
    is_bfloat16: bool,
    threads: int,
) -> None:
    """Fill out (B, D + P) from x (B, F, D), both at these addresses, contiguous, float32 or bfloat16."""

def dot_interaction_backward(
    grad: int,
    x: int,
    grad_x: int,
    batch: int,
    vectors: int,
    width: int,
    is_bfloat16: bool,
    threads: int,
) -> None:
    """Fill grad_x (B, F, D) from grad (B, D + P) and x (B, F, D), all at these addresses, contiguous."""

def advise_huge_pages(address: int, bytes: int) -> None:  # noqa: A002
    """Ask the operating system for huge pages within a range of memory."""

def instruction_set() -> str:
    """Return the variant of the row kernels in use: baseline, avx2 or avx512."""
