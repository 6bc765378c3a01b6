"""From Python values and text, as requests have them, to arrays. Needs no torch.

Every function takes what is right and nothing else, and leaves it to the caller to say what is wrong.
"""

from hotrow.kernels.values._op import (
    OPERATOR,
    read_hex,
    read_integers,
    read_json_integers,
    read_json_reals,
    read_texts,
)

__all__ = [
    "OPERATOR",
    "read_hex",
    "read_integers",
    "read_json_integers",
    "read_json_reals",
    "read_texts",
]
