from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from hotrow.artifact._tensors import ALIGNMENT, read_tensors, write_tensors
from hotrow.errors import ArtifactError


def _mapped_from(path: Path) -> list[tuple[int, int]]:
    """Return the address ranges of this process that are backed by ``path``."""
    ranges = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(str(path)):
            start, _, end = line.split()[0].partition("-")
            ranges.append((int(start, 16), int(end, 16)))
    return ranges


def test_other_software_reads_what_is_written(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 5), "b": torch.arange(4), "c": torch.randn(0, 16), "d": torch.tensor(2.5)}
    write_tensors(tmp_path / "t", tensors)
    found = load_file(tmp_path / "t")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor), name


def test_values_start_on_a_cache_line(tmp_path: Path) -> None:
    for count in range(1, 40):
        write_tensors(tmp_path / "t", {"x" * count: torch.zeros(3)})
        with (tmp_path / "t").open("rb") as stream:
            header = int.from_bytes(stream.read(8), "little")
        assert (8 + header) % ALIGNMENT == 0


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc to see mappings")
def test_tensors_are_views_of_the_mapped_file(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_tensors(path, {"a": torch.randn(1000, 16), "b": torch.randn(10, 16)})
    tensors = read_tensors(path)
    ranges = _mapped_from(path)
    for name, tensor in tensors.items():
        first, last = tensor.data_ptr(), tensor.data_ptr() + tensor.numel() * 4
        assert any(start <= first and last <= end for start, end in ranges), name


def test_writing_to_a_loaded_tensor_leaves_the_file(tmp_path: Path) -> None:
    write_tensors(tmp_path / "t", {"a": torch.ones(100)})
    read_tensors(tmp_path / "t")["a"].zero_()
    assert torch.equal(read_tensors(tmp_path / "t")["a"], torch.ones(100))


def test_a_view_of_another_layout_is_written_as_it_looks(tmp_path: Path) -> None:
    table = torch.randn(6, 4).T
    write_tensors(tmp_path / "t", {"a": table})
    assert torch.equal(read_tensors(tmp_path / "t")["a"], table)


def test_other_element_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="float64"):
        write_tensors(tmp_path / "t", {"a": torch.zeros(2, dtype=torch.float64)})


def _file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


HOSTILE = {
    "empty": b"",
    "short": b"\x01\x00",
    "endless header": _file({}, length=2**63),
    "header longer than file": _file({}, length=100),
    "no json": _file(b"not json"),
    "no object": _file([1, 2]),
    "deep": _file(b"[" * 100_000),
    "unknown type": _file({"a": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]}}, b"0000"),
    "beyond the end": _file({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}, b"0000"),
    "shape against offsets": _file({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}, b"0000"),
    "negative offset": _file({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}, b"0000"),
    "overflowing shape": _file(
        {"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 4]}}, b"0000"
    ),
    "hole": _file({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"00000000"),
    "surplus": _file({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"00000000"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"t\.safetensors: not a readable safetensors file"):
        read_tensors(path)


@given(content=st.binary(max_size=200))
def test_random_bytes_are_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "random.safetensors"
    path.write_bytes(content)
    with pytest.raises(ArtifactError):
        read_tensors(path)
