"""Bits flipped one at a time in checked lookups: how many are found, how many sound lookups fail.

Shapes: L lookups of a bag, E rows, D width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hotrow.errors import SoftErrorDetected
from hotrow.kernels.embedding_bag import (
    Bags,
    Embedded,
    FeatureSpec,
    Layout,
    TableSpec,
    embedding_bag,
    make_checksums,
    verify_lookup,
)
from hotrow.kernels.row_formats import BITS, FLOAT_DTYPES, RowFormat, decode_rows, payload_bytes, row_bytes

ROWS = 20_000
SIGNIFICANT = 1e-3
HIGH_BITS = 16  # of a float32 result: sign, exponent and the upper 7 bits of the fraction


def draw_table(row_format: RowFormat, rows: int, width: int) -> Tensor:
    """Return rows as they are stored: normal numbers, or codes over the range of a row."""
    if row_format in FLOAT_DTYPES:
        return torch.randn(rows, width, dtype=torch.float32).to(FLOAT_DTYPES[row_format])
    stored = torch.randint(0, 256, (rows, row_bytes(row_format, width)), dtype=torch.uint8)
    bias_E = -3.0 - torch.rand(rows, 1)
    scale_E = (3.0 + torch.rand(rows, 1) - bias_E) / (2 ** BITS[row_format] - 1)
    parameters = torch.cat([scale_E, bias_E], dim=1)
    parameters = parameters if row_format == "int8" else parameters.half()
    stored[:, payload_bytes(row_format, width) :] = parameters.view(torch.uint8)
    return stored


class Trials:
    """Sum-pooled bags of L lookups in one table.

    Args:
        row_format: of the table.
        width: D.
        bag: L.
        seed: of rows and flips.
    """

    def __init__(self, row_format: RowFormat, width: int, bag: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.rng = np.random.default_rng(seed)
        self.bag = bag
        self.layout = Layout((TableSpec("t", ROWS, width, row_format),), (FeatureSpec("f", 0),))
        self.table = draw_table(row_format, ROWS, width)
        self.checksums = make_checksums([self.table], self.layout)

    def of_rows(self, trials: int) -> dict[str, float]:
        """Flip a bit of a looked-up row; return the shares found."""
        found, significant = np.zeros(trials, dtype=bool), np.zeros(trials, dtype=bool)
        spec = self.layout.tables[0]
        for trial in range(trials):
            bags = self._draw(1)
            row = self.table[int(self.rng.choice(bags.ids.numpy()))]
            before = decode_rows(row.unsqueeze(0), spec.format, spec.width).clone()
            bit = int(self.rng.integers(row.nbytes * 8))
            _flip(row, bit)
            after = decode_rows(row.unsqueeze(0), spec.format, spec.width)
            significant[trial] = bool(
                ((after - before).abs() <= SIGNIFICANT * before.abs()).logical_not().any()
            )
            found[trial] = self._raises(bags, None)
            _flip(row, bit)
        return {"row_all": float(found.mean()), "row_significant": float(found[significant].mean())}

    def of_results(self, trials: int) -> dict[str, float]:
        """Flip a bit of a pooled number; return the shares found."""
        kinds = {name: np.zeros(trials, dtype=bool) for name in ("all", "high_bits", "significant")}
        found = np.zeros(trials, dtype=bool)
        for trial in range(trials):
            bags = self._draw(1)
            result = embedding_bag([self.table], self.layout, bags)
            place, bit = int(self.rng.integers(result.pooled.numel())), int(self.rng.integers(32))
            before = float(result.pooled[0, place])
            _flip(result.pooled, place * 32 + bit)
            change = abs(float(result.pooled[0, place]) - before)
            kinds["all"][trial] = True
            kinds["high_bits"][trial] = bit >= 32 - HIGH_BITS
            kinds["significant"][trial] = not change <= SIGNIFICANT * abs(before)
            found[trial] = self._raises(bags, result)
        return {f"result_{name}": float(found[kind].mean()) for name, kind in kinds.items()}

    def sound(self, bags: int) -> int:
        """Return how many of so many sound lookups, of 1000 bags each, were taken for faulty."""
        return sum(self._raises(self._draw(1000), None) for _ in range(bags // 1000))

    def _draw(self, bags: int) -> Bags:
        ids = torch.from_numpy(self.rng.integers(0, ROWS, bags * self.bag))
        return Bags(ids, torch.arange(0, ids.numel() + 1, self.bag), 1)

    def _raises(self, bags: Bags, result: Embedded | None) -> bool:
        try:
            if result is None:
                embedding_bag([self.table], self.layout, bags, checksums=self.checksums)
            else:
                verify_lookup([self.table], self.layout, bags, self.checksums, result)
        except SoftErrorDetected:
            return True
        return False


def _flip(tensor: Tensor, bit: int) -> None:
    memory = tensor.view(torch.uint8).view(-1)
    memory[bit // 8] ^= 1 << (bit % 8)
