"""Linear layers after one another in float32, for inference.

    y_o = b_o + w_o0 x_0 + w_o1 x_1 + ...      and max(y_o, 0) where ReLU follows

``cpu`` builds sums up in that order by fused multiply-adds, so a row gets the same bits whatever the number
of rows and of threads and the instruction set. ``reference`` rounds float64 sums.
"""

from hotrow.kernels.fp32_layers._op import OPERATOR, Fp32Layers
from hotrow.kernels.fp32_layers._types import Fp32Layer

__all__ = ["OPERATOR", "Fp32Layer", "Fp32Layers"]
