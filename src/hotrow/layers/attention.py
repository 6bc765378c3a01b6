"""Attention over histories: how much each step has to do with a candidate.

Shapes: B batch, L steps, K width of a step's key, Q width of the candidate's query, H hidden width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotrow.layers.dice import Activation, make_activation
from hotrow.layers.initial import xavier_linear
from hotrow.layers.jagged import Segments, times_rows, to_steps
from hotrow.layers.mlp import MLP, mlp_flop, mlp_parameters

CHUNK = 16384
"""Steps that are scored at a time where no gradient is needed: what they need stays in the cache."""


class ActivationUnit(nn.Module):
    """DIN's local activation unit: a small network of [key, query, key - query, key * query].

    Paper: https://arxiv.org/abs/1706.06978, section 4.3. The first Q numbers of a key are what the query
    is compared with; the others, if any, only enter as they are. The first layer is linear, so it is
    applied without the (L, K + 3 Q) matrix: its part of the query once for each row, and key and
    difference in one product.

    Args:
        key: K, at least Q.
        query: Q.
        hidden: widths of the hidden layers; none: one linear map.
        activation: of the hidden layers.
        start: what the weight of every step starts near: the last layer's constant; None for no
            constant, which a softmax takes out again.
        generator: source of the initial weights.
    """

    def __init__(
        self,
        key: int,
        query: int,
        hidden: Sequence[int],
        *,
        activation: Activation,
        start: float | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = (*hidden, 1)
        self.first = xavier_linear(key + 3 * query, sizes[0], generator)
        self.rest = nn.Sequential()
        last = self.first
        if hidden:
            mlp = MLP(sizes, activate_last=False, generator=generator, activation=activation)
            self.rest.extend([make_activation(activation, sizes[0]), mlp])
            last = mlp.last
        if start is None:
            last.register_parameter("bias", None)
        else:
            nn.init.constant_(last.bias, start)
        self.parts = [key, query, query, query]

    def forward(self, key_LK: Tensor, query_BQ: Tensor, segments: Segments) -> Tensor:
        """Return each step's weight, (L,), which may be any number."""
        of_key, of_query, of_difference, of_product = torch.split(self.first.weight, self.parts, dim=1)
        key, query = self.parts[:2]
        of_key = of_key + F.pad(of_difference, (0, key - query))
        rows_BH = F.linear(query_BQ, of_query - of_difference, self.first.bias)
        if torch.is_grad_enabled() or self.training:
            product_LQ = times_rows(key_LK[:, :query], query_BQ, segments)
            return self._score(key_LK, product_LQ, to_steps(rows_BH, segments), of_key, of_product)
        parts = []
        for key_CK, rows_C in zip(torch.split(key_LK, CHUNK), torch.split(segments.rows, CHUNK), strict=True):
            product_CQ = query_BQ.index_select(0, rows_C).mul_(key_CK[:, :query])
            part_CH = rows_BH.index_select(0, rows_C)
            parts.append(self._score(key_CK, product_CQ, part_CH, of_key, of_product))
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _score(
        self, key_LK: Tensor, product_LQ: Tensor, rows_LH: Tensor, of_key: Tensor, of_product: Tensor
    ) -> Tensor:
        x_LH = torch.addmm(rows_LH, key_LK, of_key.t())
        scores: Tensor = self.rest(torch.addmm(x_LH, product_LQ, of_product.t())).squeeze(1)
        return scores


def activation_unit_facts(
    key: int, query: int, hidden: Sequence[int], activation: Activation, *, constant: bool
) -> tuple[int, int, int]:
    """Return parameters, FLOP for each step, and FLOP for each row of an ``ActivationUnit``."""
    sizes = (*hidden, 1)
    parameters = mlp_parameters((key + 3 * query, *sizes), activation) - (not constant)
    of_step = mlp_flop((key + query, *sizes))
    return parameters, of_step, mlp_flop((query, sizes[0]))
