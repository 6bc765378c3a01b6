from __future__ import annotations

import threading

import pytest
import torch

from hotrow.kernels import _compiled
from hotrow.kernels.memory import RECYCLED_BYTES, WORTH_IT_BYTES, Recycler, prefer_huge_pages


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


ROWS = RECYCLED_BYTES // 64


def test_memory_is_used_again_once_nothing_refers_to_it() -> None:
    recycler = Recycler()
    first = recycler.empty(ROWS, 16)
    assert (first.shape, first.dtype, first.data_ptr() % 64) == ((ROWS, 16), torch.float32, 0)
    place, view = first.data_ptr(), first.view(-1)[5:6]
    del first
    second = recycler.empty(ROWS, 16)
    assert second.data_ptr() != place
    other = second.data_ptr()
    del second
    assert recycler.empty(ROWS + 1, 16).data_ptr() == other
    assert float(view.fill_(3.0)) == 3.0
    del view
    assert {recycler.empty(ROWS, 16).data_ptr() for _ in range(3)} <= {place, other}


def test_two_results_never_share_memory() -> None:
    recycler = Recycler()
    results = [recycler.empty(ROWS, 16).fill_(float(number)) for number in range(5)]
    assert [float(result.min()) for result in results] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [float(result.max()) for result in results] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_pieces_of_no_use_are_let_go_of() -> None:
    recycler = Recycler()
    kept = recycler.empty(ROWS, 16)
    for size in (5, 25, 1, 125):
        recycler.empty(size * ROWS, 16)
    assert [piece.size >= 125 * ROWS * 16 or piece.size < 2 * ROWS * 16 for piece in recycler._pieces] == [
        True
    ] * 2
    assert recycler._pieces[0].ctypes.data == kept.data_ptr()


def test_small_results_are_not_kept() -> None:
    recycler = Recycler()
    assert recycler.empty(0, 4).shape == (0, 4)
    assert recycler.empty(ROWS - 1, 16).shape == (ROWS - 1, 16)
    assert recycler._pieces == []


def test_a_thread_has_memory_of_its_own() -> None:
    recycler = Recycler()
    recycler.empty(ROWS, 16)
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(len(recycler._pieces)))
    thread.start()
    thread.join()
    assert (seen, len(recycler._pieces)) == ([0], 1)
