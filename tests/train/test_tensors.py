from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hotrow.errors import CheckpointError
from hotrow.train._tensors import read_tensors, write_tensors


def test_tensors_round_trip(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).view(2, 3), "empty": torch.empty(0), "n": torch.tensor(3)}
    write_tensors(tmp_path / "t", tensors)
    read = read_tensors(tmp_path / "t")
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)


def test_a_real_full_disk_is_an_os_error(tmp_path: Path) -> None:
    code = (
        "import resource, sys, torch; from pathlib import Path\n"
        "from hotrow.train._tensors import write_tensors\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        "try: write_tensors(Path(sys.argv[1]), {'a': torch.zeros(1 << 16)})\n"
        "except OSError as error: sys.exit(error.errno)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "t")], check=False)
    assert run.returncode == errno.EFBIG


def test_what_is_no_safetensors_file(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        read_tensors(tmp_path / "t")
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        read_tensors(tmp_path / "none")
