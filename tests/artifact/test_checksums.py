from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from hotrow.artifact._checksums import is_safe_name, verify_files, write_checksums
from hotrow.errors import ArtifactError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "a"
    (target / "sub").mkdir(parents=True)
    (target / "one").write_bytes(b"1" * 300)
    (target / "sub" / "two").write_bytes(b"2")
    (target / "empty").touch()
    write_checksums(target)
    return target


def _seal(files: dict[str, object]) -> str:
    """Write checksums with any entries, the list's own digest right."""
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    return json.dumps({"files": files, "sha256": digest}, indent=2) + "\n"


def test_names_every_file(folder: Path) -> None:
    assert verify_files(folder, hashes=True) == {"one", "sub/two", "empty"}


def test_every_flipped_bit_of_the_list_itself_is_found(folder: Path) -> None:
    path = folder / "checksums.json"
    good = path.read_bytes()
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << (position % 8)
        path.write_bytes(bad)
        with pytest.raises(ArtifactError, match=r"checksums\.json"):
            verify_files(folder, hashes=True)


def test_a_changed_byte_is_found_only_with_hashes(folder: Path) -> None:
    (folder / "one").write_bytes(b"1" * 299 + b"x")
    verify_files(folder, hashes=False)
    with pytest.raises(ArtifactError, match="a/one: its content does not match its checksum"):
        verify_files(folder, hashes=True)


@pytest.mark.parametrize("hashes", [True, False])
def test_a_changed_size_is_always_found(folder: Path, hashes: bool) -> None:
    (folder / "one").write_bytes(b"1" * 299)
    with pytest.raises(ArtifactError, match="a/one: 299 bytes, expected 300"):
        verify_files(folder, hashes=hashes)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "sub" / "two").unlink()
    with pytest.raises(ArtifactError, match="a/sub/two: missing"):
        verify_files(folder, hashes=False)


def test_a_missing_list_is_named(folder: Path) -> None:
    (folder / "checksums.json").unlink()
    with pytest.raises(ArtifactError, match=r"checksums\.json: missing"):
        verify_files(folder, hashes=False)


def test_a_file_that_is_not_listed_is_refused(folder: Path) -> None:
    (folder / "sub" / "evil.pkl").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"evil\.pkl: not a file of this artifact"):
        verify_files(folder, hashes=False)


def test_links_and_special_files_are_refused(folder: Path) -> None:
    (folder / "one").unlink()
    (folder / "one").symlink_to("/etc/hostname")
    with pytest.raises(ArtifactError, match="a/one: a link or special file"):
        verify_files(folder, hashes=True)
    (folder / "one").unlink()
    os.mkfifo(folder / "one")
    with pytest.raises(ArtifactError, match="a/one: a link or special file"):
        verify_files(folder, hashes=True)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        "[" * 200_000,
        '{"files": []}',
        '{"files": {"one": 3}}',
        '{"files": {"one": {"bytes": "3", "sha256": ""}}}',
        '{"files": {"one": {"bytes": 3}}}',
        '{"files": {"one": {"bytes": 300, "sha256": "0", "more": 1}}}',
        "\ud800".encode("utf-8", "surrogatepass"),
        '{"files": {}, "sha256": ' + "9" * 5000 + "}",
    ],
    ids=range(13),
)
def test_a_list_that_is_none_is_refused(folder: Path, content: str | bytes) -> None:
    (folder / "checksums.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ArtifactError, match=r"checksums\.json"):
        verify_files(folder, hashes=True)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "sub/../../x", "a\\..\\x", "", "sub//two", "./one", "n\0"]
)
def test_names_that_leave_the_folder_are_refused(folder: Path, name: str) -> None:
    assert not is_safe_name(name)
    (folder / "checksums.json").write_text(_seal({name: {"bytes": 0, "sha256": "0" * 64}}))
    with pytest.raises(ArtifactError, match="refused the file name"):
        verify_files(folder, hashes=False)


@pytest.mark.parametrize("name", ["one", "vocab/C1.arrow", "vocab/..name.arrow", "é/ü"])
def test_plain_names_are_allowed(name: str) -> None:
    assert is_safe_name(name)
