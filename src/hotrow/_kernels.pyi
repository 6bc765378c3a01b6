"""The compiled kernels (csrc/bindings). Arrays are C-contiguous and in host memory."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

class EmbeddingLayout:
    """The tables and features of a lookup, prepared."""

    def __init__(
        self,
        tables: Sequence[tuple[int, int, int, int]],
        features: Sequence[tuple[int, int, int | None, int]],
        pooled_width: int,
    ) -> None:
        """Take (rows, width, row bytes, format) and (table, pooling, padding, column)."""

class OptimizerStep:
    """One step of an optimizer, prepared; see ``hotrow.kernels.embedding_bag.Update``."""

    def __init__(
        self,
        kind: int,
        lr: float,
        eps: float,
        beta1: float,
        beta2: float,
        decay: float,
        decoupled: bool,
        clip_value: float | None,
        clip_norm: float | None,
        step: int,
        stochastic: bool,
        seed: int,
    ) -> None: ...

Bags = tuple[int, bool, int, int, int, int]
"""Addresses of ids, whether they are int64, addresses of offsets and weights or 0, B, number of ids."""

def embedding_bag_forward(
    layout: EmbeddingLayout,
    tables: Sequence[int],
    checksums: Sequence[int],
    bags: Bags,
    pooled: int,
    sequences: int,
    threads: int,
) -> tuple[int, int, int, int] | None:
    """Fill pooled and sequences; return (kind, where, position, id) of a problem, if any.

    Bags are checked where there are ``checksums``.
    """

def embedding_bag_verify(
    layout: EmbeddingLayout,
    tables: Sequence[int],
    checksums: Sequence[int],
    bags: Bags,
    pooled: int,
    sequences: int,
    threads: int,
) -> tuple[int, int, int, int] | None:
    """Check pooled and sequences; return a problem, if any."""

def embedding_bag_make_checksums(
    layout: EmbeddingLayout, table: int, rows: int, checksums: int, threads: int
) -> None:
    """Write the checksums of a table at the address ``rows`` to the address ``checksums``."""

def embedding_bag_weights_gradient(
    layout: EmbeddingLayout,
    tables: Sequence[int],
    bags: Bags,
    pooled: int,
    sequences: int,
    products: int,
    threads: int,
) -> tuple[int, int, int, int] | None:
    """Fill products, shaped as ids, without the bags' weights; return a problem, if any."""

def embedding_bag_backward(
    layout: EmbeddingLayout,
    tables: Sequence[int],
    states: Sequence[Sequence[int]],
    bags: Bags,
    pooled: int,
    sequences: int,
    step: OptimizerStep,
    threads: int,
) -> tuple[int, int, int, int] | None:
    """Update the tables at the addresses in place; return a problem, if any."""

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

class KeyCounts:
    """How often each key occurs; see ``hotrow.kernels.key_counts``."""

    def __init__(self) -> None:
        """Count nothing yet."""

    def __len__(self) -> int:
        """Return how many different keys were counted."""

    def add(self, keys: NDArray[np.uint64]) -> None:
        """Count keys (n,)."""

    def add_narrow(self, keys: NDArray[np.uint32]) -> None:
        """Count keys (n,)."""

    def add_counted(self, keys: NDArray[np.uint64], counts: NDArray[np.int64]) -> None:
        """Count each of the keys (n,) so many times, at least once."""

    def write(self, keys: NDArray[np.uint64], counts: NDArray[np.int64]) -> None:
        """Fill keys (E,) and counts (E,), in no order."""

def find_separators(text: NDArray[np.uint8], places: NDArray[np.int64]) -> int:
    """Write the places of TABs and newlines; return how many there are."""

def read_hex_fields(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    values: NDArray[np.uint64],
    wrong: NDArray[np.int64],
) -> None:
    """Fill values (F, R) and wrong (R,) from the fields at starts and ends (R, F)."""

def read_integer_fields(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    values: NDArray[np.float64],
    wrong: NDArray[np.int64],
) -> None:
    """Fill values (R, F) and wrong (R,) from the fields at starts and ends (R, F)."""

def read_integers(values: Sequence[object], out: NDArray[np.float64]) -> int:
    """Read whole numbers and None; return the position of the first other value, or -1."""

def read_hex(values: Sequence[object], out: NDArray[np.uint64]) -> int:
    """Read hexadecimal digits and None; return the position of the first other value, or -1."""

def read_texts(data: bytes, count: int) -> list[str] | None:
    """Return texts that are behind their lengths; None if the data are anything else."""

def read_json_reals(text: bytes, out: NDArray[np.float64]) -> bool:
    """Read a flat array of numbers; return whether it is one."""

def read_json_integers(text: bytes, out: NDArray[np.int64]) -> bool:
    """Read a flat array of whole numbers; return whether it is one."""

def quantize_rows(rows: Tensor, bits: int, greedy: bool, out: Tensor, threads: int) -> int:
    """Fill out (E, row_bytes) from rows (E, D); return the first row that cannot be held, or -1."""

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

def read_random_rows(
    address: int, rows: int, row_bytes: int, ids: Tensor, prefetch_distance: int, threads: int
) -> int:
    """Read whole rows in the order of ids (int64); return the sum of their 64-bit words, modulo 2**64."""

def instruction_set() -> str:
    """Return the variant of the row kernels in use: baseline, avx2 or avx512."""

class Fp32Layers:
    """Linear layers after one another, packed; see ``hotrow.kernels.fp32_layers``."""

    def __init__(self) -> None:
        """Make an empty sequence."""

    def add(self, weights: Tensor, bias: Tensor, relu: bool) -> None:
        """Pack a layer that takes what the one before gives: weights (O, I), bias (O,) float32."""

    def forward(self, x: int, batch: int, out: int, adds: bool, threads: int) -> None:
        """Map the floats at the address ``x`` to those at ``out``, with ``adds`` begun at what is there."""

class Int8Layers:
    """Linear layers on 8-bit integers, packed; see ``hotrow.kernels.int8_layers``."""

    def __init__(self) -> None:
        """Make an empty sequence."""

    def add(
        self, weights: Tensor, multiplier: Tensor, constant: Tensor, relu: bool, steps: float, start: float
    ) -> None:
        """Pack a layer that takes what the one before gives: weights (O, I) int8, numbers (O,) float32."""

    def forward(self, x: int, batch: int, out: int, threads: int) -> None:
        """Map the floats at the address ``x`` to those at the address ``out``."""
