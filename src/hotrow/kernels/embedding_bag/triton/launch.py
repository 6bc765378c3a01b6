"""Sizes of launches."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import triton

from hotrow.errors import BackendUnavailableError

_TILE = 512
_ELEMENTS_OF_A_WARP = 256


def tile(width: int, most: int | None = None) -> dict[str, int]:
    """Return rows and columns of a program's tile over rows of D = ``width``, and its warps.

    Args:
        width: D.
        most: most columns of a tile; None for the whole row.
    """
    columns = triton.next_power_of_2(width) if most is None else min(most, triton.next_power_of_2(width))
    rows = max(1, _TILE // columns)
    return {"BLOCK_N": rows, "BLOCK_D": columns, "num_warps": warps(rows * columns)}


def warps(elements: int) -> int:
    """Return the warps of a program with that many elements in its tile."""
    return max(1, min(8, elements // _ELEMENTS_OF_A_WARP))


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """Make a tensor's GPU the current one, which launches go to; nothing on the CPU.

    Raises:
        BackendUnavailableError: the kernels run elsewhere: on the CPU if ``TRITON_INTERPRET`` was 1 when
            Triton was imported, else on a GPU. They are given addresses, so that would be a crash.
    """
    if (device.type == "cpu") != triton.knobs.runtime.interpret:
        here = (
            "the CPU (TRITON_INTERPRET is 1)" if device.type != "cpu" else "a GPU (TRITON_INTERPRET is not 1)"
        )
        raise BackendUnavailableError(f"triton: kernels run on {here}, but tensors are on {device.type}")
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
