"""Fixtures of the operators' tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Draw the same random numbers whichever tests ran before."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def poison_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill memory that is handed out uninitialised with values that no test could miss."""

    def poisoned_tensor(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def call(*args: Any, **kwargs: Any) -> torch.Tensor:
            tensor = make(*args, **kwargs)
            return tensor.fill_(float("nan") if tensor.is_floating_point() else -77)

        return call

    def poisoned_array(make: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            array = make(*args, **kwargs)
            array[...] = np.nan if array.dtype.kind == "f" else 77
            return array

        return call

    for name in ("empty", "empty_like"):
        monkeypatch.setattr(torch, name, poisoned_tensor(getattr(torch, name)))
        monkeypatch.setattr(np, name, poisoned_array(getattr(np, name)))
