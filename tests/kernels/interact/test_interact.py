"""The dot interaction and its gradient: every backend against loops and einsum in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from hotrow.errors import BackendUnavailableError, ConfigError
from hotrow.kernels import BackendName, available_backends, record_paths
from hotrow.kernels.interact import dot_interaction, num_pairs

BACKENDS = [b for b in available_backends("dot_interaction") if b != "triton"]
DTYPES = (torch.float32, torch.bfloat16)
needs_cpu = pytest.mark.skipif("cpu" not in BACKENDS, reason="the compiled kernels are not installed")

SHAPES = [
    (3, 27, 16),  # DLRM on Criteo
    (2, 27, 64),
    (5, 1, 1),
    (2, 1, 19),  # no pairs
    (4, 2, 3),
    (3, 17, 15),
    (2, 18, 33),
    (2, 33, 5),
    (1, 70, 130),
    (300, 9, 7),
    (0, 4, 6),
]


def draw(batch: int, vectors: int, width: int, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return x (B, F, D) and the gradient of the result, (B, D + P)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, vectors, width, generator=generator).to(dtype)
    return x, torch.randn(batch, width + num_pairs(vectors), generator=generator).to(dtype)


def expected(x: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Return result and gradient in float64, from the definition."""
    x, grad = x.detach().double(), grad.double()
    _, vectors, width = x.shape
    pairs = [(i, j) for i in range(vectors) for j in range(i)]
    columns = [x[:, 0], *((x[:, i] * x[:, j]).sum(1, keepdim=True) for i, j in pairs)]
    grad_x = torch.zeros_like(x)
    grad_x[:, 0] = grad[:, :width]
    for place, (i, j) in enumerate(pairs):
        g = grad[:, width + place, None]
        grad_x[:, i] += g * x[:, j]
        grad_x[:, j] += g * x[:, i]
    return torch.cat(columns, dim=1), grad_x


def check(x: Tensor, grad: Tensor, backend: BackendName) -> None:
    leaf = x.detach().requires_grad_()
    with record_paths() as paths:
        out = dot_interaction(leaf, backend=backend)
        (grad_x,) = torch.autograd.grad(out, leaf, grad)
    assert paths == [("dot_interaction_forward", backend), ("dot_interaction_backward", backend)]
    assert out.dtype == grad_x.dtype == x.dtype
    expected_out, expected_grad_x = expected(x, grad)
    assert_close(out, expected_out, x)
    assert_close(grad_x, expected_grad_x, x)


def assert_close(actual: Tensor, wanted: Tensor, x: Tensor) -> None:
    """Sums are in float32; a bfloat16 result is then rounded once, to 8 bits."""
    rounding = 2.0**-8 if x.dtype == torch.bfloat16 else 0.0
    torch.testing.assert_close(actual.detach().double(), wanted, rtol=1e-5 + rounding, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_matches_float64(backend: BackendName, dtype: torch.dtype, shape: tuple[int, int, int]) -> None:
    x, grad = draw(*shape, dtype)
    check(x, grad, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    batch=st.integers(0, 20),
    vectors=st.integers(1, 40),
    width=st.integers(1, 50),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_matches_float64_for_any_shape(
    backend: BackendName, batch: int, vectors: int, width: int, dtype: torch.dtype, seed: int
) -> None:
    check(*draw(batch, vectors, width, dtype, seed), backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_x_and_gradient_need_not_be_contiguous(backend: BackendName) -> None:
    x, grad = draw(6, 5, 12, torch.float32)
    check(x.transpose(0, 1).contiguous().transpose(0, 1), grad, backend)
    check(x[::2, :, ::3], grad[:3, :14], backend)
    leaf = x.clone().requires_grad_()
    total = dot_interaction(leaf, backend=backend).sum()
    (grad_x,) = torch.autograd.grad(total, leaf)  # the result's gradient is one number, expanded
    assert_close(grad_x, expected(x, torch.ones_like(grad))[1], x)


@pytest.mark.parametrize("backend", BACKENDS)
def test_reads_and_writes_nothing_beyond_its_arrays(backend: BackendName) -> None:
    for shape in ((1, 3, 5), (2, 18, 4), (1, 27, 16), (3, 2, 1)):
        x, grad = draw(*shape, torch.float32)
        nan = torch.full((64,), float("nan"))
        inside = torch.cat([nan, x.flatten(), nan])[64:-64].view(shape)
        grad_inside = torch.cat([nan, grad.flatten(), nan])[64:-64].view(grad.shape)
        check(inside, grad_inside, backend)


@needs_cpu
def test_bfloat16_rounds_to_nearest_even_and_keeps_what_is_not_finite() -> None:
    ones = torch.tensor([[[1.0, 1.0], [1.0, 2.0**-8], [1.0, 3 * 2.0**-8], [float("inf"), 0.0]]])
    out = dot_interaction(ones.bfloat16(), backend="cpu")[0].float()
    assert out[2:5].tolist() == [1.0, 1.0 + 4 * 2.0**-8, 1.0]  # two ties, each to the even side
    assert out[5:].tolist() == [float("inf")] * 3
    nan = torch.tensor([[[float("nan")], [1.0]]]).bfloat16()
    assert dot_interaction(nan, backend="cpu").isnan().all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_same_bits_whatever_the_threads_and_the_batch(backend: BackendName, dtype: torch.dtype) -> None:
    x, grad = draw(700, 27, 16, dtype)
    results = []
    threads_before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            leaf = x.clone().requires_grad_()
            out = dot_interaction(leaf, backend=backend)
            results.append([out.detach(), *torch.autograd.grad(out, leaf, grad)])
    finally:
        torch.set_num_threads(threads_before)
    for other in results[1:]:
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(results[0], other, strict=True))
    if backend == "cpu":
        assert torch.equal(dot_interaction(x[13:14], backend=backend), results[0][0][13:14])


@pytest.mark.parametrize("vectors", [1, 2, 5])
def test_gradcheck_of_the_reference(vectors: int) -> None:
    x = torch.randn(3, vectors, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: dot_interaction(x, backend="reference"), (x,))


@needs_cpu
def test_gradient_is_the_slope() -> None:
    x, grad = draw(2, 6, 5, torch.float32)
    direction = torch.randn_like(x)
    leaf = x.clone().requires_grad_()
    (grad_x,) = torch.autograd.grad(dot_interaction(leaf, backend="cpu"), leaf, grad)
    ahead, behind = (dot_interaction(x + step * direction, backend="cpu") for step in (0.5, -0.5))
    # The result is quadratic in x, so that central differences are exact but for rounding.
    slope = ((ahead - behind).double() * grad.double()).sum()
    np.testing.assert_allclose((grad_x.double() * direction.double()).sum(), slope, rtol=1e-4)


def test_second_gradient_is_refused() -> None:
    x = torch.randn(2, 3, 4, requires_grad=True)
    (grad_x,) = torch.autograd.grad(dot_interaction(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.autograd.backward(grad_x.sum())


@pytest.mark.parametrize("shape", [(3, 4), (2, 0, 4), (2, 3, 0), (1, 2, 3, 4)])
def test_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"^x: got shape \(.*\), expected \(B, F, D\) with F and D at least 1$"
    ):
        dot_interaction(torch.zeros(shape))


@pytest.mark.parametrize(
    ("backend", "dtype", "message"),
    [
        pytest.param(
            "cpu", torch.float64, "expected float32 or bfloat16 with the cpu backend", marks=needs_cpu
        ),
        pytest.param(
            "cpu", torch.int32, "expected float32 or bfloat16 with the cpu backend", marks=needs_cpu
        ),
        ("reference", torch.int64, "expected a floating dtype"),
    ],
)
def test_wrong_dtype_is_refused(backend: BackendName, dtype: torch.dtype, message: str) -> None:
    with pytest.raises(ValueError, match=f"^x: got {dtype}, {message}$"):
        dot_interaction(torch.zeros(2, 3, 4, dtype=dtype), backend=backend)


def test_wrong_gradient_is_refused() -> None:
    x = torch.zeros(2, 3, 4)
    for grad in (torch.zeros(2, 8), torch.zeros(1, 7), torch.zeros(2, 7, dtype=torch.bfloat16)):
        with pytest.raises(ValueError, match=r"^grad: got .*, expected \(2, 7\) of torch.float32 on cpu$"):
            torch.ops.hotrow.dot_interaction_backward(grad, x)


@needs_cpu
def test_other_devices_are_refused_by_cpu() -> None:
    with pytest.raises(ValueError, match="expected host memory with the cpu backend"):
        dot_interaction(torch.zeros(1, 2, 3, device="meta"), backend="cpu")


def test_backend_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="backend"):
        dot_interaction(torch.zeros(1, 2, 3), backend="gpu")  # type: ignore[arg-type]
    if "triton" not in available_backends("dot_interaction"):
        with pytest.raises(BackendUnavailableError, match="triton"):
            dot_interaction(torch.zeros(1, 2, 3), backend="triton")
