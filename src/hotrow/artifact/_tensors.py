"""Tensors in safetensors files: written in one pass, read as views of the mapped file.

Format: https://github.com/huggingface/safetensors (an 8-byte little-endian header length, a JSON
header, then raw little-endian values). Our writer pads the header so that values start on a
64-byte border: a row of 16 float32 then lies in one cache line instead of across two.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hotrow.errors import ArtifactError

DTYPES = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "U8": torch.uint8,
    "I64": torch.int64,
}
"""Element types an artifact may hold, by their safetensors name."""

ALIGNMENT = 64

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def dtype_name(dtype: torch.dtype) -> str:
    """Return the safetensors name of an element type.

    Raises:
        TypeError: the artifact has no such type.
    """
    name = _NAMES.get(dtype)
    if name is None:
        raise TypeError(f"tensors of {dtype} have no place in an artifact, only {sorted(DTYPES)}")
    return name


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors, in the order given, without holding a second copy of them in memory.

    Args:
        path: the file to write.
        tensors: of the types in ``DTYPES``, on the CPU.

    Raises:
        TypeError: another element type.
        OSError: the disk refuses.
    """
    assert sys.byteorder == "little", "safetensors values are little-endian"
    header: dict[str, dict[str, object]] = {}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": dtype_name(tensor.dtype),
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little"))
        stream.write(text)
        for tensor in tensors.values():
            if tensor.numel():
                stream.write(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Map a file and return its tensors as views of the mapping; nothing is read until it is used.

    Raises:
        ArtifactError: the header is not one of safetensors, or does not fit the file.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            return {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise ArtifactError(f"{path}: not a readable safetensors file ({error})") from error
