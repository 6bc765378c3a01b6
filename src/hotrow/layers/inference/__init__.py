"""Layers as they are served: a row gets the same bits whatever the number of rows it is computed with.

``nn.Linear`` in float32 does not keep that: MKL's products choose their order of summation by the number of
rows. Those of packed layers (``linear``, in bf16 ``half``) do, and cost less. Training keeps the layers of
``hotrow.layers``; ``for_inference`` puts these in their places.
"""

from hotrow.layers.inference.convert import can_compute, for_inference
from hotrow.layers.inference.networks import Networks, Precision, Quantization
from hotrow.layers.inference.sigmoid import sigmoid

__all__ = ["Networks", "Precision", "Quantization", "can_compute", "for_inference", "sigmoid"]
