"""Attention and recurrent layers as they are served, in float32.

Shapes: B rows, L steps of all rows, P packed steps, C steps at a time, K width of a key, Q width of a query,
H hidden width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotrow.kernels.fp32_layers import Fp32Layers
from hotrow.layers._gru_loops import times
from hotrow.layers.attention import ActivationUnit
from hotrow.layers.gru import GRU
from hotrow.layers.inference.linear import fp32_layer, packed_linear
from hotrow.layers.jagged import Segments
from hotrow.layers.packing import Packing

CHUNK = 8192
"""Steps that are scored at a time: what they need stays in the cache, and in memory that is at hand."""


class PackedUnit(nn.Module):
    """An ``ActivationUnit``.

    Args:
        source: as it was trained.
        rest: its layers after the first, as they are served.
    """

    def __init__(self, source: ActivationUnit, rest: nn.Module) -> None:
        super().__init__()
        key, query = source.parts[:2]
        of_key, of_query, of_difference, of_product = torch.split(source.first.weight, source.parts, dim=1)
        of_key = of_key + F.pad(of_difference, (0, key - query))
        self.of_query = packed_linear(of_query - of_difference, source.first.bias)
        self._of_key, self._of_product = (
            Fp32Layers([fp32_layer(part, None)]) for part in (of_key, of_product)
        )
        self.rest = rest
        self._query = query

    def forward(self, key_LK: Tensor, query_BQ: Tensor, segments: Segments) -> Tensor:
        """Return each step's weight, (L,)."""
        rows_BH = self.of_query.forward(query_BQ)
        parts = []
        for key_CK, rows_C in zip(torch.split(key_LK, CHUNK), torch.split(segments.rows, CHUNK), strict=True):
            product_CQ = query_BQ.index_select(0, rows_C).mul_(key_CK[:, : self._query])
            x_CH = self._of_key.add_to(rows_BH.index_select(0, rows_C), key_CK)
            parts.append(self.rest(self._of_product.add_to(x_CH, product_CQ)).squeeze(1))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


class PackedGRU(nn.Module):
    """A ``GRU``."""

    def __init__(self, source: GRU) -> None:
        super().__init__()
        self._hidden = source.of_state.shape[1]
        # Of reset and update the negative, so that the sigmoid is 1 / (1 + exp(x)): see ``sigmoid``.
        signs = torch.ones(3 * self._hidden)
        signs[: 2 * self._hidden] = -1.0
        self.of_input = packed_linear(source.of_input * signs[:, None], source.bias * signs)
        self.of_state = packed_linear(source.of_state * signs[:, None], None)

    def forward(self, x_PI: Tensor, packing: Packing, scale_P: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the states of all packed steps, (P, H), and each row's last one, (B, H)."""
        H, rows = self._hidden, packing.ranks.shape[0]
        gates_P3H = self.of_input.forward(x_PI)
        states_PH, last_BH = x_PI.new_empty(x_PI.shape[0], H), x_PI.new_zeros(rows, H)
        state = last_BH
        for start, _, count in times(packing.sizes):
            last_BH[count : len(state)] = state[count:]
            part = slice(start, start + count)
            share = None if scale_P is None else scale_P[part, None]
            state = self._step(gates_P3H[part], state[:count], share, states_PH[part])
        last_BH[: len(state)] = state
        return states_PH, last_BH.index_select(0, packing.ranks)

    def _step(self, gates: Tensor, state: Tensor, share: Tensor | None, out: Tensor) -> Tensor:
        H = self._hidden
        added = self.of_state.forward(state)
        reset_update = gates[:, : 2 * H].add_(added[:, : 2 * H]).exp_().add_(1.0).reciprocal_()
        candidate = gates[:, 2 * H :].addcmul_(reset_update[:, :H], added[:, 2 * H :]).tanh_()
        update = reset_update[:, H:] if share is None else reset_update[:, H:] * share
        return torch.lerp(state, candidate, update, out=out)
