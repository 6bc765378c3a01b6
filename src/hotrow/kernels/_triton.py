"""Where Triton's kernels may run. Imports Triton: for its backends only."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import triton

from hotrow.errors import BackendUnavailableError


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
