"""The operators of torch: their registrations, torch.compile and torch.export."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from hotrow.kernels import BackendName, available_backends, record_paths
from hotrow.kernels.interact import dot_interaction, num_pairs
from hotrow.layers import DotInteraction

BACKENDS = [b for b in available_backends("dot_interaction") if b != "triton"]


@pytest.fixture(autouse=True)
def forget_compiled() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(3, 5, 4), (2, 1, 3), (0, 4, 2)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_opcheck(backend: BackendName, shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    x = torch.randn(shape).to(dtype)
    grad = torch.randn(shape[0], shape[2] + num_pairs(shape[1])).to(dtype)
    torch.library.opcheck(torch.ops.hotrow.dot_interaction.default, (x, backend))
    torch.library.opcheck(torch.ops.hotrow.dot_interaction.default, (x.requires_grad_(), backend))
    torch.library.opcheck(torch.ops.hotrow.dot_interaction_backward.default, (grad, x.detach(), backend))


@pytest.mark.parametrize("backend", BACKENDS)
def test_operator_is_the_function(backend: BackendName) -> None:
    results = []
    for call in (
        lambda x: dot_interaction(x, backend=backend),
        lambda x: torch.ops.hotrow.dot_interaction(x, backend),
    ):
        x = torch.linspace(-2, 3, 3 * 7 * 5).view(3, 7, 5).requires_grad_()
        out: Tensor = call(x)
        results.append((out.detach(), *torch.autograd.grad(out.square().sum(), x)))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(*results, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiles_whole_with_its_gradient(backend: BackendName) -> None:
    layer = DotInteraction(6, backend=backend)

    def score(x: Tensor) -> Tensor:
        return layer(x * 2).relu()  # type: ignore[no-any-return]

    compiled = torch.compile(score, fullgraph=True, backend="aot_eager", dynamic=True)
    for batch in (3, 4, 1):
        x = torch.randn(batch, 6, 5, requires_grad=True)
        with record_paths() as paths:
            (grad,) = torch.autograd.grad(compiled(x).square().sum(), x)
        assert ("dot_interaction_backward", backend) in paths
        (wanted,) = torch.autograd.grad(score(x).square().sum(), x)
        torch.testing.assert_close(grad, wanted)


def test_exports_with_any_batch() -> None:
    layer = DotInteraction(6)
    batch = torch.export.Dim("batch")
    program = torch.export.export(layer, (torch.randn(4, 6, 5),), dynamic_shapes=({0: batch},))
    assert [n.target for n in program.graph.nodes if n.op == "call_function"] == [
        torch.ops.hotrow.dot_interaction.default
    ]
    x = torch.randn(9, 6, 5)
    assert torch.equal(program.module()(x), layer(x))


def test_tensors_without_data_give_the_shape() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x = torch.randn(3, 4, 5, dtype=torch.bfloat16)
        out = dot_interaction(x)
    assert (out.shape, out.dtype) == ((3, 11), torch.bfloat16)
