from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hotrow.errors import ConfigError, MissingFileError, OutputExistsError, StorageError
from hotrow.files import (
    atomic_file,
    atomic_folder,
    read_json,
    require_writable,
    sha256_file,
    write_json,
)


def test_a_folder_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    with atomic_folder(target) as partial:
        (partial / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert [entry.name for entry in target.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_a_failure_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), atomic_folder(tmp_path / "out") as partial:  # noqa: PT012
        (partial / "a").write_text("1")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_kept_unless_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(OutputExistsError, match="--overwrite"), atomic_folder(target):
        pass
    with pytest.raises(ValueError, match="late"), atomic_folder(target, overwrite=True):
        raise ValueError("late")
    assert (target / "old").read_text() == "old"
    with atomic_folder(target, overwrite=True) as partial:
        (partial / "new").write_text("new")
    assert [entry.name for entry in target.iterdir()] == ["new"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_no_obstacle(tmp_path: Path) -> None:
    with atomic_folder(tmp_path) as partial:
        (partial / "a").write_text("1")
    assert (tmp_path / "a").exists()


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from hotrow.files import atomic_folder\n"
        "with atomic_folder(Path(sys.argv[1])) as partial:\n"
        "    (partial / 'a').write_text('1'); os.kill(os.getpid(), 9)\n"
    )
    target = tmp_path / "out"
    assert subprocess.run([sys.executable, "-c", code, str(target)], check=False).returncode == -9
    assert not target.exists()
    assert len(list(tmp_path.iterdir())) == 1
    with atomic_folder(target) as partial:
        (partial / "b").write_text("2")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_replaced_folder_survives_a_kill_between_the_renames(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    moved_aside = tmp_path / f".out.old-{dead.pid}"
    moved_aside.mkdir()
    (moved_aside / "kept").write_text("1")
    with pytest.raises(OutputExistsError), atomic_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / "kept").read_text() == "1"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_said_in_one_line(tmp_path: Path, number: int) -> None:
    with pytest.raises(StorageError, match="no space left") as caught, atomic_folder(tmp_path / "out"):
        raise OSError(number, os.strerror(number))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "scores.tsv"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(target) as partial:  # noqa: PT012
        partial.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    with atomic_file(target) as partial:
        partial.write_text("new")
    assert target.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.tsv"]


def test_json_and_checksums(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": [1]})
    assert read_json(path, expected="a test file") == {"b": [1]}
    with pytest.raises(MissingFileError, match="a test file"):
        read_json(tmp_path / "none.json", expected="a test file")
    empty = tmp_path / "empty"
    empty.touch()
    assert sha256_file(empty).startswith("e3b0c44298fc1c14")


def test_the_slower_of_two_writers_replaces_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out"

    def write_slowly() -> None:
        with atomic_folder(target) as folder:
            (folder / "mine").write_text("late")
            target.mkdir()
            (target / "theirs").write_text("early")

    with pytest.raises(OutputExistsError, match=r"--overwrite"):
        write_slowly()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "theirs"]


def test_whether_a_file_can_be_written_is_known_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_text("kept")
    for name in ("kept", "new"):
        require_writable("--out", tmp_path / name)
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["kept"]
    with pytest.raises(ConfigError, match=r"--out: got '.*/no/new', .*exists, which .*/no does not"):
        require_writable("--out", tmp_path / "no" / "new")
    with pytest.raises(ConfigError, match=r"--out: .*expected a file, not a folder"):
        require_writable("--out", tmp_path)

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", refuse)  # root may write anywhere
    with pytest.raises(StorageError, match="new: cannot be written"):
        require_writable("--out", tmp_path / "new")
