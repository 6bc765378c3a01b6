"""The same tests as on a processor with fewer instructions: oneDNN and ATen are told to use no others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]


def skip_unless_it_has_them(instructions: str) -> None:
    """Skip a test of instructions that this processor does not have."""
    capability = torch.backends.cpu.get_cpu_capability()
    if not capability.startswith("AVX512" if instructions.startswith("AVX512") else "AVX"):
        pytest.skip(f"the processor has no {instructions}")


def on_another_processor(instructions: str, module: str, call: str) -> None:
    """Run ``module.call`` in a process whose kernels use no more than some instructions."""
    aten = "avx512" if instructions.startswith("AVX512") else "avx2"
    limits = {"ONEDNN_MAX_CPU_ISA": instructions, "ATEN_CPU_CAPABILITY": aten, "OMP_NUM_THREADS": "1"}
    code = f"import torch\nfrom {module} import *\nwith torch.inference_mode():\n    {call}"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **limits},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]
