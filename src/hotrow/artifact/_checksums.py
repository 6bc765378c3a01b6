"""Sizes and SHA-256 of every file of an artifact, kept in ``checksums.json``.

The list guards itself too: it carries a digest of its own entries and has exactly one spelling,
so that no byte of it can change unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hotrow.artifact._json import read_object
from hotrow.config import from_mapping
from hotrow.errors import ArtifactError, ConfigError
from hotrow.files import sha256_file

CHECKSUMS = "checksums.json"

_REMEDY = "the artifact was cut short or altered; copy or write it again"


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """What a file must be: its size in bytes and the SHA-256 of its content in hexadecimal."""

    bytes: int
    sha256: str


def write_checksums(folder: Path) -> None:
    """Write ``checksums.json`` over every file that is in ``folder`` now."""
    entries = {
        name: FileEntry(bytes=path.stat().st_size, sha256=sha256_file(path))
        for name, path in _files_below(folder).items()
    }
    (folder / CHECKSUMS).write_bytes(_spelling(entries))


def content_digest(folder: Path) -> str:
    """Return a digest, in hexadecimal, of what the artifact's files must be."""
    return sha256_file(folder / CHECKSUMS)


def verify_files(folder: Path, *, hashes: bool) -> frozenset[str]:
    """Check that ``folder`` holds exactly the listed files, unaltered, and return their names.

    Args:
        folder: an artifact.
        hashes: whether to read every file and compare its SHA-256, or only its size.

    Raises:
        ArtifactError: names the first file that is missing, altered, no regular file or not listed.
    """
    entries = _read_entries(folder)
    found = _files_below(folder)
    for name in sorted(set(found) - set(entries) - {CHECKSUMS}):
        raise ArtifactError(f"{found[name]}: not a file of this artifact (not listed in {CHECKSUMS})")
    for name, entry in entries.items():
        path = found.get(name)
        if path is None:
            raise ArtifactError(f"{folder / name}: missing; {_REMEDY}")
        size = path.stat().st_size
        if size != entry.bytes:
            raise ArtifactError(f"{path}: {size} bytes, expected {entry.bytes}; {_REMEDY}")
        if hashes and sha256_file(path) != entry.sha256:
            raise ArtifactError(f"{path}: its content does not match its checksum; {_REMEDY}")
    return frozenset(entries)


def is_safe_name(name: str) -> bool:
    """Return whether a file name from an artifact stays below the artifact's folder."""
    parts = PurePosixPath(name).parts
    plain = bool(parts) and name == "/".join(parts) and not any(mark in name for mark in "\\\0")
    return plain and not name.startswith("/") and ".." not in parts


def _read_entries(folder: Path) -> dict[str, FileEntry]:
    path = folder / CHECKSUMS
    if not path.is_file():
        raise ArtifactError(f"{path}: missing; {_REMEDY}")
    mapping = read_object(path)
    files = mapping.get("files")
    if not isinstance(files, dict):
        raise ArtifactError(f"{path}: field files: expected an object of files; {_REMEDY}")
    for name in files:
        if not is_safe_name(name):
            raise ArtifactError(f"{path}: refused the file name {name!r}, which leaves the artifact's folder")
    try:
        entries = {
            name: from_mapping(FileEntry, entry, where=f"{path}: {name}")
            for name, entry in files.items()
            if _require_object(path, name, entry)
        }
    except ConfigError as error:
        raise ArtifactError(f"{error}; {_REMEDY}") from error
    if path.read_bytes() != _spelling(entries):
        raise ArtifactError(f"{path}: its content does not match its checksum; {_REMEDY}")
    return entries


def _require_object(path: Path, name: str, entry: object) -> bool:
    if not isinstance(entry, dict):
        raise ArtifactError(f"{path}: {name}: expected an object with bytes and sha256; {_REMEDY}")
    return True


def _spelling(entries: Mapping[str, FileEntry]) -> bytes:
    """Return the one spelling of ``checksums.json`` for these entries."""
    files: dict[str, Any] = {
        name: {"bytes": entries[name].bytes, "sha256": entries[name].sha256} for name in sorted(entries)
    }
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    return (json.dumps({"files": files, "sha256": digest}, indent=2) + "\n").encode()


def _files_below(folder: Path) -> dict[str, Path]:
    """Return the files below ``folder`` by their relative name.

    Raises:
        ArtifactError: an entry that is neither a folder nor a regular file, such as a link.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            files[path.relative_to(folder).as_posix()] = path
        elif not stat.S_ISDIR(mode):
            raise ArtifactError(f"{path}: a link or special file, expected only regular files in an artifact")
    return files
