from __future__ import annotations

import pytest
import torch

from hotrow.kernels import _compiled
from hotrow.kernels.memory import WORTH_IT_BYTES, prefer_huge_pages


class Recorder:
    def __init__(self) -> None:
        self.advised: list[tuple[int, int]] = []

    def advise_huge_pages(self, address: int, size: int) -> None:
        self.advised.append((address, size))


def test_only_large_tensors_are_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(_compiled, "load", lambda: recorder)
    small, large = torch.zeros(10), torch.zeros(WORTH_IT_BYTES // 4)
    prefer_huge_pages(small)
    prefer_huge_pages(large)
    assert recorder.advised == [(large.data_ptr(), WORTH_IT_BYTES)]


def test_nothing_happens_without_the_compiled_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compiled, "load", lambda: None)
    prefer_huge_pages(torch.zeros(WORTH_IT_BYTES // 4))


@pytest.mark.skipif(_compiled.load() is None, reason="the compiled kernels are not installed")
def test_advice_leaves_the_content_alone() -> None:
    tensor = torch.ones(WORTH_IT_BYTES // 4 + 1)
    prefer_huge_pages(tensor[1:])
    assert bool((tensor == 1).all())
