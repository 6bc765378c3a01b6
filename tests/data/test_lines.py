from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.data import _lines
from hotrow.data._lines import LEFT_PAD, RIGHT_PAD, LineBlock, line_blocks
from hotrow.errors import DataError, MissingFileError


def text_of(block: LineBlock) -> bytes:
    assert block.padded.startswith(LEFT_PAD)
    assert block.padded.endswith(RIGHT_PAD)
    return block.padded[len(LEFT_PAD) : -len(RIGHT_PAD)]


def read(path: Path, block_bytes: int = 64) -> bytes:
    return b"".join(text_of(block) for block in line_blocks(path, block_bytes))


@settings(max_examples=200)
@given(
    lines=st.lists(st.binary(max_size=63).map(lambda line: line.replace(b"\n", b"")), min_size=1),
    ends_with_newline=st.booleans(),
    is_gzip=st.booleans(),
    block_bytes=st.integers(64, 200),
)
def test_blocks_are_whole_lines_and_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[bytes],
    ends_with_newline: bool,
    is_gzip: bool,
    block_bytes: int,
) -> None:
    lines[0] = b"x" + lines[0]  # neither empty, nor gzip's or the byte order mark's first bytes
    text = b"\n".join(lines) + b"\n" * ends_with_newline
    path = tmp_path_factory.mktemp("lines") / "log"
    path.write_bytes(gzip.compress(text) if is_gzip else text)
    blocks = list(line_blocks(path, block_bytes))
    assert all(text_of(block).endswith(b"\n") for block in blocks)
    assert b"".join(map(text_of, blocks)) == text + b"\n" * (not text.endswith(b"\n"))
    assert not any(block.cut for block in blocks)
    assert sum(block.consumed for block in blocks) <= path.stat().st_size


def test_a_byte_order_mark_is_dropped_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbf1\n\xef\xbb\xbf2\n")
    assert read(path) == b"1\n\xef\xbb\xbf2\n"


def test_a_line_longer_than_a_block_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lines, "MAX_LINE_BYTES", 20)
    path = tmp_path / "log"
    path.write_bytes(b"first\n" + b"x" * 1000 + b"\nlast\n")
    blocks = [(text_of(block), block.cut) for block in line_blocks(path, 64)]
    assert blocks == [(b"first\n", False), (b"x" * 20 + b"\n", True), (b"last\n", False)]


def test_a_long_last_line_without_newline_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n" + b"x" * 1000)
    assert [block.cut for block in line_blocks(path, 64)] == [False, True]


def test_gzip_is_told_by_content_and_may_have_members(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(gzip.compress(b"1\n2") + gzip.compress(b"3\n"))
    assert read(path) == b"1\n23\n"


@pytest.mark.parametrize("kept", [3, 0.3, 0.6, 0.999], ids=str)
def test_a_truncated_gzip_names_the_file_and_the_lines_read(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "day_0.gz"
    content = gzip.compress(os.urandom(50_000).hex().replace("0", "\n").encode())
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else int(kept)])
    with pytest.raises(
        DataError, match=r"day_0\.gz: the gzip stream is cut short after \d+ whole lines"
    ) as error:
        read(path, 4096)
    if kept == 0.999:
        assert "after 0 " not in str(error.value)


def test_a_damaged_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "day_0.gz"
    content = bytearray(gzip.compress(os.urandom(50_000).hex().encode()))
    content[len(content) // 2] ^= 0xFF
    content[-6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"day_0\.gz: the gzip stream is (damaged|cut short)"):
        read(path)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["plain", "gzip"])
def test_an_empty_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(DataError, match="log: the file is empty"):
        read(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="none"):
        read(tmp_path / "none")
    with pytest.raises(DataError, match="is a folder, expected a file"):
        read(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"log: cannot be read \(Permission denied\)"):
        read(tmp_path / "log")


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"1\n2\n" * 100,))
    writer.start()
    assert read(path) == b"1\n2\n" * 100
    writer.join()
