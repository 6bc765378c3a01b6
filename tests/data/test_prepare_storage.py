"""``prepare`` on a disk that fills up, and when it is killed: the target is complete or absent."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hotrow.data import _writing, stage
from hotrow.data.dataset import Dataset
from hotrow.data.prepare import prepare
from hotrow.data.vocabulary import Vocabulary
from hotrow.errors import StorageError

MountDisk = Callable[[int], Path]
COMMAND = [sys.executable, "-m", "hotrow", "prepare", "criteo"]


def is_absent(out: Path) -> bool:
    """Whether there is neither the target nor a leftover of it."""
    return not out.exists() and not list(out.parent.glob(f".{out.name}*"))


@pytest.mark.parametrize("kib", [8, 120, 280, 360])
def test_a_full_disk(log: Path, small_disk: MountDisk, kib: int) -> None:
    disk = small_disk(kib)
    with pytest.raises(StorageError, match="out: no space left on the disk"):
        prepare("criteo", [log], disk / "out")
    assert is_absent(disk / "out")


def test_a_disk_that_is_just_large_enough(log: Path, small_disk: MountDisk) -> None:
    disk = small_disk(4096)
    assert prepare("criteo", [log], disk / "out").rows == 700
    assert Dataset.open(disk / "out").rows("train") == 600


@pytest.mark.parametrize("file_kib", [1, 20, 80])
def test_files_that_may_not_grow(log: Path, tmp_path: Path, file_kib: int) -> None:
    """A limit on the size of files (or a quota) is told like a full disk."""
    limited = (
        "import resource, runpy, sys;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({file_kib << 10}, {file_kib << 10}));"
        "sys.argv[0] = 'hotrow'; runpy.run_module('hotrow', run_name='__main__', alter_sys=False)"
    )
    command = [sys.executable, "-c", limited, *COMMAND[3:], str(log), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert "no space left on the disk" in done.stderr
    assert done.stderr.count("\n") == 1
    assert is_absent(tmp_path / "out")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT], ids=errno.errorcode.get)
@pytest.mark.parametrize("phase", ["stage", "rejections", "vocabulary", "shard"])
def test_a_disk_that_fills_in_any_phase(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: str, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    owners = {
        "stage": (stage.StageWriter, "append"),
        "rejections": (sys.modules["hotrow.data._reading"].RejectionLog, "add"),
        "vocabulary": (Vocabulary, "save"),
        "shard": (_writing, "write_shard"),
    }
    log.write_text("bad\n" + log.read_text())
    monkeypatch.setattr(*owners[phase], fail)
    with pytest.raises(StorageError, match="out: no space left on the disk"):
        prepare("criteo", [log], tmp_path / "out")
    assert is_absent(tmp_path / "out")


def open_when_over(process: subprocess.Popen[bytes], pipe: Path) -> None:
    """Let a writer of the pipe go on even when the process ends before it reads from it."""
    process.wait()
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))


def test_a_killed_preparation_leaves_no_target_and_is_cleaned_up_by_the_next(
    log: Path, tmp_path: Path
) -> None:
    pipe, out = tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    process = subprocess.Popen([*COMMAND, str(log), str(pipe), "--out", str(out)], stderr=subprocess.DEVNULL)
    threading.Thread(target=open_when_over, args=(process, pipe), daemon=True).start()
    with pipe.open("wb") as stream:  # opens when the preparation has staged the first source
        stream.write(log.read_bytes())
        stream.flush()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not out.exists()
    (leftover,) = tmp_path.glob(".out*")
    assert list(leftover.iterdir())
    prepare("criteo", [log], out)
    assert Dataset.open(out).rows("train") == 600
    assert not list(tmp_path.glob(".out*"))


def test_an_interrupted_preparation_leaves_nothing(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stage.StageWriter, "append", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare("criteo", [log], tmp_path / "out")
    assert is_absent(tmp_path / "out")
