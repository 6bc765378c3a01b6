"""GRU and AUGRU over packed histories (DIEN, https://arxiv.org/abs/1809.03672, section 4).

    r_t = sigmoid(W_r x_t + U_r h_{t-1} + b_r)
    u_t = sigmoid(W_u x_t + U_u h_{t-1} + b_u)
    c_t = tanh(W_c x_t + r_t * (U_c h_{t-1}) + b_c)
    h_t = (1 - a_t u_t) * h_{t-1} + a_t u_t * c_t,   h_0 = 0

``a_t`` is the attention of a step (AUGRU, a GRU with attentional update gate), or 1 (GRU). torch's GRU has
the same gates in the order r, z = 1 - u, c, and a second bias inside of c.

Shapes: B rows, P packed steps, I input width, H hidden width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hotrow.layers._gru_op import gru
from hotrow.layers.packing import Packing


class GRU(nn.Module):
    """A GRU, or with a scale an AUGRU; in float32 also where autocast computes in fewer bits.

    Weights start uniform in +-1/sqrt(H), biases at 0.

    Args:
        inputs: I.
        hidden: H.
        generator: source of the initial weights.
    """

    def __init__(self, inputs: int, hidden: int, *, generator: torch.Generator) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden)
        of_input = torch.empty(3 * hidden, inputs).uniform_(-bound, bound, generator=generator)
        of_state = torch.empty(3 * hidden, hidden).uniform_(-bound, bound, generator=generator)
        self.of_input = nn.Parameter(of_input)
        self.of_state = nn.Parameter(of_state)
        self.bias = nn.Parameter(torch.zeros(3 * hidden))

    def forward(self, x_PI: Tensor, packing: Packing, scale_P: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the states of all packed steps, (P, H), and each row's last one, (B, H).

        Args:
            x_PI: packed inputs.
            packing: their order.
            scale_P: a_t of each packed step; None for 1.

        A row without steps has zeros.
        """
        weights = (self.of_input, self.of_state, self.bias)
        states_PH, last_BH = gru(x_PI, scale_P, packing.sizes, packing.ranks.shape[0], *weights)
        return states_PH, last_BH.index_select(0, packing.ranks)


def gru_parameters(inputs: int, hidden: int) -> int:
    """Return the number of weights and biases."""
    return 3 * hidden * (inputs + hidden + 1)


def gru_flop(inputs: int, hidden: int) -> int:
    """Return the floating-point operations of one step's matrix products (multiply-add = 2)."""
    return 2 * 3 * hidden * (inputs + hidden)
