"""The lookup that torch.compile does not know: with sparse gradients, or verified by checksums.

Apart, because the decorator imports PyTorch's compiler, which takes as long as importing torch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from hotrow.kernels.embedding_bag import Embedded, sparse_embedding_bag

uncompiled_embedding_bag: Callable[..., Embedded] = torch.compiler.disable(sparse_embedding_bag)  # type: ignore[no-untyped-call]
"""``sparse_embedding_bag``; a graph breaks at it."""
