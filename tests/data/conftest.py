"""Fixtures of the tests of data preparation."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MountDisk = Callable[[int], Path]


@pytest.fixture
def log(tmp_path: Path, criteo_rows: Callable[..., list[str]]) -> Path:
    """Return a well-formed labelled log of 700 rows."""
    path = tmp_path / "log.txt"
    path.write_text("\n".join(criteo_rows(700, labelled=True)) + "\n")
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[MountDisk]:
    """Return a function that mounts an empty disk of so many KiB; needs the right to mount."""
    folder = tmp_path / "disk"
    mounted = []

    def mount(kib: int) -> Path:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no right to mount a small disk")
        mounted.append(folder)
        return folder

    yield mount
    for path in mounted:
        subprocess.run(["umount", str(path)], check=True)
