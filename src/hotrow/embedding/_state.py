"""State dicts by table name; a name may hold any character, unlike a module's attributes."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

import torch
from torch import Tensor


def save_tables(
    entries: Mapping[str, Tensor], destination: MutableMapping[str, Tensor], prefix: str, *, keep_vars: bool
) -> None:
    """Put ``entries`` into a state dict, not copied."""
    for name, tensor in entries.items():
        destination[prefix + name] = tensor if keep_vars else tensor.detach()


def load_tables(
    entries: Mapping[str, Tensor],
    state_dict: Mapping[str, Tensor],
    prefix: str,
    missing_keys: list[str],
    unexpected_keys: list[str],
    error_msgs: list[str],
    *,
    strict: bool,
) -> None:
    """Copy a state dict into ``entries``, reporting what does not fit as ``nn.Module`` does."""
    for name, tensor in entries.items():
        key = prefix + name
        if key not in state_dict:
            if strict:
                missing_keys.append(key)
            continue
        given = state_dict[key]
        if given.shape != tensor.shape:
            error_msgs.append(
                f"size mismatch for {key}: got {tuple(given.shape)}, expected {tuple(tensor.shape)}"
            )
            continue
        if given.is_floating_point() != tensor.is_floating_point():
            error_msgs.append(f"dtype mismatch for {key}: got {given.dtype}, expected {tensor.dtype}")
            continue
        with torch.no_grad():
            tensor.copy_(given)
    if strict:
        known = {prefix + name for name in entries}
        unexpected_keys.extend(key for key in state_dict if key.startswith(prefix) and key not in known)
