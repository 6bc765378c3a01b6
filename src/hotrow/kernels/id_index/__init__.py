"""From 64-bit keys to positions: an immutable hash index with batched lookups.

Open addressing with linear probing, at most 60% full. A slot is ``(key, position)``, 8 bytes when
all keys fit in 32 bits and 12 otherwise, so an entry costs about 13 or 20 bytes. Needs no torch.
"""

from hotrow.kernels.id_index._index import OPERATOR, IdIndex

__all__ = ["OPERATOR", "IdIndex"]
