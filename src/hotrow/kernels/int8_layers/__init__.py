"""Linear layers after one another on 8-bit integers, for inference: float32 in and out, uint8 between them.

    q   = min(max(x * steps + start, 0), 255), cut to a whole number       start = zero point + 1/2
    y_o = multiplier_o * (w_o . q) + constant_o, and max(y_o, 0) where ReLU follows

Weights are in -WEIGHT_LEVELS ... WEIGHT_LEVELS. Sums are of integers and all else is one operation of IEEE
arithmetic after another, so ``reference`` and ``cpu`` give the same bits, whatever the number of rows and of
threads and the instruction set.
"""

from hotrow.kernels.int8_layers._op import OPERATOR, Int8Layers
from hotrow.kernels.int8_layers._types import WEIGHT_LEVELS, Int8Layer

__all__ = ["OPERATOR", "WEIGHT_LEVELS", "Int8Layer", "Int8Layers"]
