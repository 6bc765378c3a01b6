"""``prepare`` of formats that are read in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hotrow.data import formats
from hotrow.data.assemble import RawSplits
from hotrow.data.dataset import Dataset
from hotrow.data.formats import TableFormat, find_format
from hotrow.data.manifest import SourceInfo
from hotrow.data.prepare import PrepareConfig, prepare
from hotrow.data.raw import RawBlock
from hotrow.data.rejections import Rejection
from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, Schema
from hotrow.errors import ConfigError, DataError, MissingFileError, OutputExistsError


@dataclass(frozen=True, kw_only=True)
class Options:
    like_at: float = 4.0
    holdout: int = 1


class Pairs(TableFormat[Options]):
    """Lines of user, item and rating; the last rows are validation and test."""

    name = "pairs"
    options = Options

    def read(self, sources: Sequence[Path], options: Options) -> RawSplits:
        (source,) = sources
        file = source / "pairs.txt" if source.is_dir() else source
        lines = file.read_text().splitlines()
        cells = [line.split() for line in lines]
        rows = np.array([row for row in cells if len(row) == 3], dtype=np.float64)
        block = RawBlock(
            np.empty((len(rows), 0)),
            rows[:, :2].T.astype(np.uint64),
            (rows[:, 2] >= options.like_at).astype(np.float32),
        )
        valid, test = len(rows) - 2 * options.holdout, len(rows) - options.holdout
        return RawSplits(
            schema=Schema(
                format=self.name,
                label="like",
                dense=(),
                categorical=tuple(
                    CategoricalFeature(name=name, rows=RESERVED_IDS, key_type="integer")
                    for name in ("user", "item")
                ),
            ),
            splits={
                "train": block.take(slice(valid)),
                "valid": block.take(slice(valid, test)),
                "test": block.take(slice(test, None)),
            },
            sources=(SourceInfo(file=str(file), rows=len(rows), rejected=len(lines) - len(rows)),),
            rejected={
                str(file): [
                    Rejection(number, "columns", "", f"found {len(row)} columns, expected 3", b"")
                    for number, row in enumerate(cells, start=1)
                    if len(row) != 3
                ]
            },
        )


@pytest.fixture(autouse=True)
def known_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(formats._FORMATS, "pairs", (__name__, "Pairs"))
    monkeypatch.setattr(formats, "import_module", lambda _: type("module", (), {"Pairs": Pairs}))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.txt"
    path.write_text("".join(f"{row % 3} {row % 5} {row % 6}\n" for row in range(20)))
    return path


def test_the_kinds_of_formats_are_told_apart() -> None:
    assert isinstance(find_format("pairs"), TableFormat)


@pytest.mark.parametrize("as_folder", [False, True], ids=["file", "folder"])
def test_options_and_counts_are_the_formats_own(pairs: Path, tmp_path: Path, as_folder: bool) -> None:
    source = pairs
    if as_folder:
        source = tmp_path / "folder"
        source.mkdir()
        pairs.rename(source / "pairs.txt")
    report = prepare("pairs", [source], tmp_path / "out", settings={"holdout": "3", "like_at": "5"})
    assert (report.rows, report.splits) == (20, {"train": 14, "valid": 3, "test": 3})
    assert report.rows_per_second == pytest.approx(20 / report.seconds)
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.schema.rows == (5, 7)  # no id is too rare, unlike in logs
    content = json.loads((tmp_path / "out" / "schema.json").read_text())
    assert content["splits"]["train"]["positives"] == 2
    assert content["options"] == {
        "split": "auto",
        "min_count": None,
        "hash_rows": None,
        "hash": {},
        "strict": False,
        "like_at": 5.0,
        "holdout": 3,
    }


def test_min_count_is_for_every_format(pairs: Path, tmp_path: Path) -> None:
    prepare("pairs", [pairs], tmp_path / "out", PrepareConfig(min_count=6))
    assert Dataset.open(tmp_path / "out").schema.rows == (5, 2)


def test_rejected_rows_are_kept_or_stop(pairs: Path, tmp_path: Path) -> None:
    pairs.write_text("1 2\n" + pairs.read_text())
    report = prepare("pairs", [pairs], tmp_path / "out")
    assert (report.rows, report.rejected_by_reason) == (20, {"columns": 1})
    assert (tmp_path / "out" / "rejected.tsv").exists()
    with pytest.raises(DataError, match=r"pairs\.txt, line 1: found 2 columns, expected 3"):
        prepare("pairs", [pairs], tmp_path / "strict", PrepareConfig(strict=True))
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (
            PrepareConfig(),
            {"like": "5"},
            "like: got '5', expected like_at, or another of the fields like_at, holdout",
        ),
        (PrepareConfig(), {"holdout": "x"}, "holdout: got 'x', expected int"),
        (PrepareConfig(split="rows"), {}, "split: got 'rows', expected the default; pairs is prepared by"),
        (PrepareConfig(hash_rows=99), {}, "hash_rows: got 99, expected the default; pairs is prepared by"),
        (PrepareConfig(hash={"user": 9}), {}, r"hash: got \{'user': 9\}, expected the default"),
    ],
)
def test_options_of_others_are_refused(
    pairs: Path, tmp_path: Path, config: PrepareConfig, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare("pairs", [pairs], tmp_path / "out", config, settings=settings)
    assert not (tmp_path / "out").exists()


def test_paths_are_checked_first(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="none: not found, expected a file or folder"):
        prepare("pairs", [tmp_path / "none"], tmp_path / "out")
    prepare("pairs", [pairs], tmp_path / "out")
    with pytest.raises(OutputExistsError, match="out: already exists"):
        prepare("pairs", [pairs], tmp_path / "out")
    prepare("pairs", [pairs], tmp_path / "out", overwrite=True)
