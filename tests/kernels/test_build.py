"""Installing where there is no compiler."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("CMakeLists.txt", "LICENSE", "README.md", "csrc", "pyproject.toml", "src")

USE = """
import logging
logging.basicConfig()
import numpy
from hotrow.kernels.id_index import IdIndex
from hotrow.embedding import EmbeddingTables, TableConfig
index = IdIndex(numpy.arange(9, dtype="u8"))
tables = EmbeddingTables([TableConfig(name="a", rows=3, width=2)], optimizer=None)
print(index.backend, tables.backend)
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
@pytest.mark.skipif(
    importlib.util.find_spec("scikit_build_core") is None, reason="scikit-build-core is missing"
)
def test_install_without_a_compiler_uses_the_reference_and_says_so_once(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    for built in source.rglob("_kernels*.so"):
        built.unlink()
    environment = {**os.environ, "CC": "/nonexistent/cc", "CXX": "/nonexistent/c++"}
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [*install, "--target", str(target), str(source)], env=environment, check=True, capture_output=True
    )
    assert not list(target.rglob("_kernels*.so"))
    # -S: the import hook of an editable install would go before PYTHONPATH.
    environment["PYTHONPATH"] = os.pathsep.join([str(target), sysconfig.get_path("platlib")])
    used = subprocess.run(
        [sys.executable, "-S", "-c", USE],
        env=environment,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert used.stdout.split() == ["reference", "reference"]
    warnings = [line for line in used.stderr.splitlines() if line.startswith("WARNING")]
    assert len(warnings) == 1
    assert "compiled kernels are missing" in warnings[0]
