from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hotrow.layers.jagged import (
    Segments,
    make_segments,
    segment_mean,
    segment_softmax,
    segment_sum,
    times_rows,
    to_steps,
)

LENGTHS = [[3, 0, 2, 1], [0, 0], [], [1], [5, 0], [0, 4]]


def segments_of(lengths: list[int]) -> Segments:
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    return make_segments(offsets, sum(lengths))


def draw(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


def by_row(x_L: Tensor, lengths: list[int], f: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> Tensor:
    parts = [f(part) for part in x_L.split(lengths)] if lengths else []  # type: ignore[no-untyped-call]
    return torch.stack(parts) if parts else torch.empty(shape, dtype=torch.float64)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_against_loops(lengths: list[int]) -> None:
    rows, steps = len(lengths), sum(lengths)
    segments = segments_of(lengths)
    x, q, w = draw(steps, 3), draw(rows, 3), draw(steps)
    assert segments.lengths.tolist() == lengths
    sums = by_row(x * w[:, None], lengths, lambda part: part.sum(0), (rows, 3))
    torch.testing.assert_close(segment_sum(x, segments, w), sums)
    means = by_row(x, lengths, lambda part: part.sum(0) / max(len(part), 1), (rows, 3))
    torch.testing.assert_close(segment_mean(x, segments), means)
    copies = q.repeat_interleave(torch.tensor(lengths, dtype=torch.int64), dim=0)
    torch.testing.assert_close(to_steps(q, segments), copies)
    torch.testing.assert_close(times_rows(x, q, segments), x * copies)
    shares = [part.softmax(0) for part in w.split(lengths)] if lengths else []  # type: ignore[no-untyped-call]
    torch.testing.assert_close(segment_softmax(w, segments), torch.cat([w[:0], *shares]))


@pytest.mark.parametrize("lengths", [lengths for lengths in LENGTHS if sum(lengths)])
def test_gradients(lengths: list[int]) -> None:
    segments = segments_of(lengths)
    x, q, w = draw(sum(lengths), 3), draw(len(lengths), 3), draw(sum(lengths))
    torch.autograd.gradcheck(lambda x, w: segment_sum(x, segments, w), (x, w))
    torch.autograd.gradcheck(lambda x: segment_mean(x, segments), (x,))
    torch.autograd.gradcheck(lambda q: to_steps(q, segments), (q,))
    torch.autograd.gradcheck(lambda x, q: times_rows(x, q, segments), (x, q))
    torch.autograd.gradcheck(lambda w: segment_softmax(w, segments), (w,))


def test_no_steps_have_gradients_too() -> None:
    segments = segments_of([0, 0])
    x, q = draw(0, 3), draw(2, 3)
    total = segment_sum(times_rows(x, q, segments), segments, segment_softmax(x[:, 0], segments)).sum()
    (total + to_steps(q, segments).sum()).backward()  # type: ignore[no-untyped-call]
    assert q.grad is not None
    assert torch.equal(q.grad, torch.zeros_like(q))


@given(st.lists(st.integers(0, 4), max_size=8), st.integers(-1000, 1000))
def test_softmax_sums_to_one_wherever_its_numbers_are(lengths: list[int], shift: int) -> None:
    segments = segments_of(lengths)
    shares = segment_softmax(draw(sum(lengths)).detach().float() * 50 + shift, segments)
    sums = segment_sum(shares[:, None], segments)[:, 0]
    torch.testing.assert_close(sums, (segments.lengths > 0).float())


def test_compiled_code_takes_plain_operators() -> None:
    lengths = [3, 0, 2]
    segments = segments_of(lengths)

    def everything(x: Tensor, q: Tensor, w: Tensor) -> Tensor:
        products = times_rows(x, q, segments) + to_steps(q, segments)
        return segment_sum(products, segments, segment_softmax(w, segments)) + segment_mean(x, segments)

    compiled = torch.compile(everything, fullgraph=True, backend="eager")
    arguments = draw(5, 3), draw(3, 3), draw(5)
    torch.testing.assert_close(compiled(*arguments), everything(*arguments))
    expected = torch.autograd.grad(everything(*arguments).square().sum(), arguments)
    got = torch.autograd.grad(compiled(*arguments).square().sum(), arguments)
    torch.testing.assert_close(got, expected)
