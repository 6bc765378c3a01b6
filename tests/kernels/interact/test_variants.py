"""What is chosen once per process: instruction sets, and Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hotrow.kernels import BackendName, available_backends
from hotrow.kernels.interact import dot_interaction, num_pairs

BACKENDS = [b for b in available_backends("dot_interaction") if b != "triton"]

SHAPES = ((3, 27, 16), (2, 18, 33), (2, 1, 3), (2, 3, 7), (1, 70, 70), (0, 3, 2))

SCRIPT = """
import sys
import torch
from hotrow.kernels import _compiled, record_paths
from hotrow.kernels.interact import dot_interaction

backend, source, target = sys.argv[1:]
results = []
for x, grad in torch.load(source):
    x.requires_grad_()
    with record_paths() as paths:
        out = dot_interaction(x, backend=backend)
        (grad_x,) = torch.autograd.grad(out, x, grad)
    assert {name for _, name in paths} == {backend}
    results.append((out.detach(), grad_x))
torch.save(results, target)
print(_compiled.require().instruction_set() if backend == "cpu" else backend)
"""


def check_in_a_process(backend: BackendName, folder: Path, **environment: str) -> str:
    """Compare results and gradients with the reference's; return what ran."""
    problems = []
    for shape in SHAPES:
        for dtype in (torch.float32, torch.bfloat16):
            grad = torch.randn(shape[0], shape[2] + num_pairs(shape[1]))
            problems.append((torch.randn(shape).to(dtype), grad.to(dtype)))
    (folder / "script.py").write_text(SCRIPT, encoding="utf-8")
    torch.save(problems, folder / "problems")
    done = subprocess.run(
        [sys.executable, "script.py", backend, "problems", "results"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for (x, grad), results in zip(problems, torch.load(folder / "results"), strict=True):
        leaf = x.clone().requires_grad_()
        wanted = dot_interaction(leaf, backend="reference")
        rounding = 2.0**-7 if x.dtype == torch.bfloat16 else 0.0
        for mine, other in zip(results, (wanted, *torch.autograd.grad(wanted, leaf, grad)), strict=True):
            torch.testing.assert_close(mine, other.detach(), rtol=1e-5 + rounding, atol=1e-4)
    return done.stdout.strip()


@pytest.mark.skipif("cpu" not in BACKENDS, reason="the compiled kernels are not installed")
@pytest.mark.parametrize("variant", ["baseline", "avx2", "avx512"])
def test_every_instruction_set_agrees_with_the_reference(tmp_path: Path, variant: str) -> None:
    if check_in_a_process("cpu", tmp_path, HOTROW_ISA=variant) != variant:
        pytest.skip(f"this processor does not run the {variant} variant")


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_triton_agrees_with_the_reference(tmp_path: Path) -> None:
    check_in_a_process("triton", tmp_path, TRITON_INTERPRET="1", CUDA_VISIBLE_DEVICES="")
