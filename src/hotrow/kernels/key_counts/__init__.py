"""How often each key occurs, in one pass over keys in any order. Needs no torch."""

from hotrow.kernels.key_counts._counter import OPERATOR, KeyCounter

__all__ = ["OPERATOR", "KeyCounter"]
