"""Writing files so that a crash, a kill or a full disk never leaves half of one behind."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hotrow.errors import ConfigError, MissingFileError, OutputExistsError, StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full or read-only disk under ``path`` into one readable ``StorageError``."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(f"{path}: no space left on the disk; free some space and repeat") from error
        if error.errno in _REFUSED:
            raise StorageError(f"{path}: cannot be written ({error.strerror})") from error
        raise


@contextmanager
def atomic_folder(
    target: Path, *, overwrite: bool = False, adopt: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Yield a temporary folder beside ``target`` that becomes ``target`` only when all went well.

    The content is flushed to disk before the rename, so ``target`` is complete or absent. On any
    exception, Ctrl-C included, the temporary folder is removed; one left by a killed process is
    removed by the next writer of the same target, or adopted.

    Args:
        target: the folder to be.
        overwrite: replace one that is there.
        adopt: says whether a folder that a killed process left is yielded, as it is, instead of an empty one.

    Raises:
        OutputExistsError: ``target`` exists, is not an empty folder, and ``overwrite`` is false.
        StorageError: the disk is full or refuses to be written.
    """
    target = target.absolute()
    with storage_errors(target):
        adopted = _remove_abandoned(target, adopt)
    _require_free(target, overwrite=overwrite)
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _partial(target)
        if adopted is None:
            partial.mkdir()
        else:
            adopted.rename(partial)
        try:
            yield partial
            flush_tree(partial)
            _require_free(target, overwrite=overwrite)  # another writer may have been faster
            _replace_folder(partial, target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` that replaces ``target`` only when all went well."""
    target = target.absolute()
    with storage_errors(target):
        _remove_abandoned(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = _partial(target)
        try:
            yield partial
            _flush(partial)
            partial.replace(target)
            _flush(target.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def require_writable(option: str, target: Path) -> None:
    """Refuse a file that ``atomic_file`` could not write, before long work is done for it.

    Args:
        option: that named the file, for messages.
        target: the file, which may be there and stays as it is.

    Raises:
        ConfigError: it is a folder, or its own folder is not there.
        StorageError: the disk is full or refuses to be written.
    """
    target = target.absolute()
    if not target.parent.is_dir():
        expected = f"a file in a folder that exists, which {target.parent} does not"
        raise ConfigError(option, str(target), expected)
    if target.is_dir():
        raise ConfigError(option, str(target), "a file, not a folder")
    with storage_errors(target):
        _partial(target).touch()
        _partial(target).unlink()


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as indented JSON (not atomic by itself: use within ``atomic_folder``)."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path, *, expected: str) -> Any:
    """Read a JSON file; ``expected`` says what the file is, for the message when it is missing.

    Raises:
        MissingFileError: there is no such file.
        json.JSONDecodeError: it is not JSON (callers name their own error).
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(path, expected) from error


def sha256_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tree_bytes(folder: Path) -> int:
    """Return the summed size of the files below ``folder``, in bytes."""
    return sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file())


def flush_tree(folder: Path) -> None:
    """Flush to disk every file and folder below ``folder``, itself included."""
    for entry in sorted(folder.rglob("*")):
        _flush(entry)
    _flush(folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _partial(target: Path) -> Path:
    return target.parent / f".{target.name}.partial-{os.getpid()}"


def _require_free(target: Path, *, overwrite: bool) -> None:
    if target.is_file() or (target.is_dir() and any(target.iterdir()) and not overwrite):
        raise OutputExistsError(target, "choose another folder or pass --overwrite")


def _replace_folder(partial: Path, target: Path) -> None:
    """Move ``partial`` to ``target``; an old target is moved aside first and removed last."""
    old = target.parent / f".{target.name}.old-{os.getpid()}"
    if target.exists():
        target.rename(old)
    partial.rename(target)
    _flush(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _remove_abandoned(target: Path, adopt: Callable[[Path], bool] | None = None) -> Path | None:
    """Remove what killed writers of ``target`` left beside it; put back a target that one had moved aside.

    Returns:
        the first folder that is to be adopted, which is left; None if there is none.
    """
    adopted: Path | None = None
    for kind in ("partial", "old"):
        for entry in target.parent.glob(f".{glob.escape(target.name)}.{kind}-*"):
            owner = entry.name.rpartition("-")[2]
            if owner.isdigit() and (int(owner) == os.getpid() or not _is_alive(int(owner))):
                if kind == "old" and not target.exists():
                    entry.rename(target)
                elif kind == "partial" and adopt is not None and adopted is None and adopt(entry):
                    adopted = entry
                elif entry.is_dir():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink(missing_ok=True)
    return adopted


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
