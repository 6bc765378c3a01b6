"""Tensors in safetensors files, with the operating system's errors left recognisable."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from hotrow.errors import CheckpointError

_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors, all contiguous, without a second copy of them in memory.

    Raises:
        OSError: the disk is full or refuses to be written.
    """
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        match = _SYSTEM_ERROR.search(str(error))
        if match is None:
            raise
        raise OSError(int(match[1]), os.strerror(int(match[1])), str(path)) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file.

    Raises:
        CheckpointError: it is missing or cannot be read.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from error


def read_tensor(path: Path, name: str) -> Tensor:
    """Read one tensor of a file.

    Raises:
        CheckpointError: the file is missing or cannot be read, or has no such tensor.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensor: Tensor = file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: tensor {name} cannot be read ({error})") from error
    return tensor
